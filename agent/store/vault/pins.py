"""Who relies on which chunks: each owner pins for itself, and whoever pins takes back only its own."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence


class Pins:
    """Not thread-safe; the vault's lock guards it. ``most``: names of one owner that are remembered one by one; an owner of more
    pins whatever there is."""

    def __init__(self, most: int) -> None:
        self._most = most
        #: None: all.
        self._names: dict[Hashable, set[bytes] | None] = {}

    def pin(self, names: Iterable[bytes], owner: Hashable) -> None:
        """``owner`` relies on these too."""
        held = self._names.setdefault(owner, set())
        if held is not None:
            held.update(names)
            if len(held) > self._most:
                self._names[owner] = None

    def release(self, owner: Hashable) -> None:
        """``owner`` relies on nothing any more."""
        self._names.pop(owner, None)

    def gather(self, owner: Hashable) -> frozenset[bytes]:
        """``owner`` relies on all that anybody relies on now; their names, as far as they are remembered."""
        for held in list(self._names.values()):
            if held is None:
                self._names[owner] = None
            else:
                self.pin(held, owner)
        return frozenset(self._names.get(owner) or ())

    def holds_any(self, names: Sequence[bytes]) -> bool:
        """Whether somebody relies on one of these."""
        return any(held is None or not held.isdisjoint(names) for held in self._names.values())
