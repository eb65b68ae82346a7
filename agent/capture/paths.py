"""Paths of directories, found once: however deep one is, a path of what is in it costs one step from that of its parent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.core.ids import ROOT, ObjectId
from agent.core.recent_map import WeighedMap

#: Paths, however short.
_REMEMBERED = 1 << 20


class Paths:
    """Remembers the paths of directories that were asked for, ``most`` bytes of them. ``names_of``: a directory's (parent, name),
    the first of which leads to it. Whoever changes a name on the way to others calls :meth:`clear`, and :meth:`forget` for one
    that is on no way. Not thread-safe."""

    def __init__(self, names_of: Callable[[ObjectId], Sequence[tuple[ObjectId, bytes]]], most: int) -> None:
        self._names_of = names_of
        self._known = WeighedMap[ObjectId, bytes](_REMEMBERED, most, len)

    def __bool__(self) -> bool:
        return bool(self._known)

    @property
    def bytes_known(self) -> int:
        """How many bytes the paths that are remembered have."""
        return self._known.weight

    def clear(self) -> None:
        """Forget every path: a directory on the way to others is called otherwise now."""
        self._known.forget_all()

    def forget(self, id: ObjectId) -> None:
        """A directory with nothing in it is called otherwise now, or nothing."""
        self._known.forget(id)

    def of(self, id: ObjectId) -> bytes | None:
        """The path by first names, b"" for the root; None when no way leads to the root."""
        known = self._known.get(id)
        if known is not None:
            self._known.move_to_end(id)
            return known
        path = self._found(id)
        if path:
            self._known.remember(id, path)
        return path

    def _found(self, id: ObjectId) -> bytes | None:
        parts: list[bytes] = []
        seen: set[ObjectId] = set()
        while id != ROOT:
            above = self._known.get(id)
            if above is not None:
                parts.append(above)
                break
            names = self._names_of(id)
            if not names or id in seen:
                return None
            seen.add(id)
            id, name = names[0]
            parts.append(name)
        return b"/".join(reversed(parts))
