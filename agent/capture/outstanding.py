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
from itertools import chain

#: Of work that is older than all.
_OLDEST = 0


@dataclass(slots=True)
class _Work:
    """``of``: the serials of the work that left it; ``left``: how much that it left has not ended; ``ended``: it did itself;
    ``told``: an event told of it."""

    of: list[int]
    left: int = 0
    ended: bool = False
    told: bool = True


class Outstanding:
    """Work by rising serials; what one left to others is a part of it, though their serials are higher. Belongs to the pump's
    thread."""

    def __init__(self) -> None:
        self.last = 0
        #: Somebody waits for work up to this serial.
        self.awaited = 0
        #: Whether what begins now is told of by an event, and not found by looking.
        self.told = True
        self._active: dict[int, _Work] = {}
        self._of: tuple[int, ...] = ()
        #: Work that goes on although it has a part that is older: as which serial it is waited for.
        self._older: dict[int, int] = {}
        #: Hints that were given back and may not have been looked at yet, as work of their own, a part of all that gave them
        #: back: so a look at one costs the same however many these are; and who they are.
        self._returned: dict[int, set[int]] = {}

    def begin(self) -> int:
        """A piece of work begins; its serial."""
        self.last += 1
        self._active[self.last] = _Work(list(self._of), told=self.told)
        self._hold(self._of)
        return self.last

    def join(self, serial: int) -> None:
        """What would be begun waits already, as the work of this serial."""
        work = self._active.get(serial)
        if work is None:
            return
        work.told = work.told or self.told
        new = []
        for one in self._of:
            # What is itself a part of the other never waits for it; but whoever waits for the one does.
            if self._is_part(one, serial):
                if one != serial:
                    self._counts_as(serial, self._oldest_of(one))
            elif one not in work.of:
                new.append(one)
        work.of += new
        self._hold(new)

    def was_told(self, serial: int) -> bool:
        """Whether an event told of work that goes on."""
        return self._active[serial].told

    def end(self, serial: int) -> None:
        """A piece of work ended, with everything it found in the batch, given back as hints, or left to other work."""
        work = self._active.get(serial)
        if work is not None:
            work.ended = True
            self._settle(serial, work)

    def oldest(self) -> int:
        """The serial of work that is older than all, and has ended: everybody waits for what it leaves."""
        self._active.setdefault(_OLDEST, _Work([], ended=True))
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
        new = [one for one in self._of if not any(one in givers for givers in self._returned.values())]
        if not new:
            return
        newest = next(reversed(self._returned), None)
        if newest is None or any(self._is_part(one, newest) for one in new):
            self.last += 1
            newest = self.last
            self._active[newest], self._returned[newest] = _Work([]), set()
        self._active[newest].of += new
        self._returned[newest].update(new)
        self._hold(new)

    @property
    def owing(self) -> Collection[int]:
        """Work on whose behalf a hint that was given back is looked at: what that begins is left by all that gave any back."""
        return tuple(self._returned)

    def looked_at(self) -> None:
        """All hints that were given back were looked at."""
        returned, self._returned = self._returned, {}
        for serial in returned:
            self.end(serial)

    def goes_on(self) -> bool:
        """Whether anything does."""
        return bool(self._active)

    def await_last(self) -> int:
        """Somebody waits for all that was begun; the serial of the last of it."""
        self.awaited = self.last
        return self.last

    def passed(self, serial: int) -> bool:
        """Whether nothing begun up to ``serial`` goes on."""
        return min(chain(self._active, self._older.values()), default=serial + 1) > serial

    def _counts_as(self, serial: int, older: int) -> None:
        if older < self._older.get(serial, serial):
            self._older[serial] = older

    def _hold(self, serials: Collection[int]) -> None:
        for serial in serials:
            self._active[serial].left += 1

    def _release(self, serials: Collection[int]) -> None:
        ways = list(serials)
        while ways:
            serial = ways.pop()
            work = self._active[serial]
            work.left -= 1
            ways += self._over(serial, work)

    def _settle(self, serial: int, work: _Work) -> None:
        self._release(self._over(serial, work))

    def _over(self, serial: int, work: _Work) -> list[int]:
        """What waits for work no more, since that is over."""
        if not work.ended or work.left or self._active.pop(serial, None) is None:
            return []
        self._older.pop(serial, None)
        return work.of

    def _oldest_of(self, one: int) -> int:
        """The oldest of what waits for work, itself included."""
        return min(min(up, self._older.get(up, up)) for up in self._above(one))

    def _above(self, one: int) -> set[int]:
        found, ways = {one}, [one]
        while ways:
            up = self._active.get(ways.pop())
            new = [] if up is None else [more for more in up.of if more not in found]
            found.update(new)
            ways += new
        return found

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
