"""Work that was begun and did not end, and what it left to other work.

A look rarely does all by itself: a file is left to be read in slices, or for the link's sake, a directory to a walk, a path that
moved meanwhile to another look. Who waits for the first, waits for all of that::

    hint ─→ read in slices ─→ waits for the link ─→ in the batch
                  └─→ given back as a hint ─→ waits for the link ─→ in the batch
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: Of work that is older than all.
_OLDEST = 0


@dataclass(slots=True)
class _Work:
    """``of``: the serials of the work that left it; ``left``: how much that it left has not ended; ``ended``: it did itself."""

    of: tuple[int, ...]
    left: int = 0
    ended: bool = False


class Outstanding:
    """Work by rising serials; what one left to others is a part of it, though their serials are higher. Belongs to the pump's
    thread."""

    def __init__(self) -> None:
        self.last = 0
        self._active: dict[int, _Work] = {}
        self._of: tuple[int, ...] = ()
        #: What gave hints back that may not have been looked at yet.
        self._owing: set[int] = set()

    def begin(self) -> int:
        """A piece of work begins; its serial."""
        self.last += 1
        self._active[self.last] = _Work(self._of)
        self._hold(self._of)
        return self.last

    def join(self, serial: int) -> None:
        """What would be begun waits already, as the work of this serial."""
        work = self._active.get(serial)
        if work is None:
            return
        # What is itself a part of the other never waits for it.
        new = tuple(one for one in self._of if one not in work.of and not self._is_part(one, serial))
        work.of += new
        self._hold(new)

    def end(self, serial: int) -> None:
        """A piece of work ended, with everything it found in the batch, given back as hints, or left to other work."""
        work = self._active.get(serial)
        if work is not None:
            work.ended = True
            self._settle(serial, work)

    def oldest(self) -> int:
        """The serial of work that is older than all, and has ended: everybody waits for what it leaves."""
        self._active.setdefault(_OLDEST, _Work((), ended=True))
        return _OLDEST

    @contextmanager
    def on_behalf(self, serials: Collection[int]) -> Iterator[None]:
        """What is begun or joined in this block is left by the work of these serials, as far as they go on."""
        of = tuple(serial for serial in serials if serial in self._active)
        before, self._of = self._of, of
        self._hold(of)
        try:
            yield
        finally:
            self._of = before
            self._release(of)

    def gave_back(self) -> None:
        """What goes on in this block gave hints back."""
        new = [serial for serial in self._of if serial not in self._owing]
        self._hold(new)
        self._owing.update(new)

    @property
    def owing(self) -> Collection[int]:
        """What gave hints back that may not have been looked at yet: whatever a look at such a hint begins is left by these."""
        return self._owing

    def looked_at(self) -> None:
        """All hints that were given back were looked at."""
        owing, self._owing = self._owing, set()
        self._release(owing)

    def goes_on(self) -> bool:
        """Whether anything does."""
        return bool(self._active)

    def passed(self, serial: int) -> bool:
        """Whether nothing begun up to ``serial`` goes on."""
        return not self._active or min(self._active) > serial

    def _hold(self, serials: Collection[int]) -> None:
        for serial in serials:
            self._active[serial].left += 1

    def _release(self, serials: Collection[int]) -> None:
        for serial in serials:
            work = self._active[serial]
            work.left -= 1
            self._settle(serial, work)

    def _settle(self, serial: int, work: _Work) -> None:
        if work.ended and not work.left and self._active.pop(serial, None) is not None:
            self._release(work.of)

    def _is_part(self, serial: int, of: int) -> bool:
        """Whether work was left by other work, or is that itself."""
        looked, ways = {serial}, [serial]
        while ways:
            one = ways.pop()
            if one == of:
                return True
            above = [up for up in self._active[one].of if up not in looked] if one in self._active else []
            looked.update(above)
            ways += above
        return False
