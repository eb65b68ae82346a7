"""Which chunk names were checked when, so that shares go round all of them. Pure.

Names are hashes, so a share of all names is that share of the chunks, of whatever files, without counting any. Names stand on a
ring by their first four bytes, their *place*.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

#: Places on the ring.
PLACES = 1 << 32
#: Stretches that are told apart; beyond, the two neighbours that are nearest in time are one.
STRETCHES_MOST = 128


class NameRange(NamedTuple):
    """The names with a place from ``first`` to before ``end``."""

    first: int
    end: int

    def has(self, name: bytes) -> bool:
        """Whether a name is among them."""
        return self.first <= int.from_bytes(name[:4]) < self.end

    @property
    def width(self) -> int:
        """Places."""
        return self.end - self.first


class Stretch(NamedTuple):
    """A range of places, and when what is there was checked last (UTC ns); 0: never."""

    first: int
    end: int
    time: int


@dataclass(frozen=True, slots=True)
class CheckedNames:
    """``next``: the place from which on is looked at next; ``stretches``: in order, over the whole ring without gaps."""

    next: int = 0
    stretches: tuple[Stretch, ...] = (Stretch(0, PLACES, 0),)

    @classmethod
    def all_at(cls, time: int) -> Self:
        """Every chunk was checked then."""
        return cls(0, (Stretch(0, PLACES, time),))

    @property
    def since(self) -> int:
        """Every chunk was checked then or later; 0: some never were."""
        return min(one.time for one in self.stretches)

    def ahead(self, most: int, now: int, within: int) -> NameRange | None:
        """What is to be checked next: at most ``most`` places in a row, none of which was checked within the last ``within`` ns.
        None: all were. What was checked by a clock that ran ahead counts as never."""
        for one in self._from_next():
            if not 0 <= now - one.time < within:
                return NameRange(one.first, min(one.end, one.first + most))
        return None

    def _from_next(self) -> Iterator[Stretch]:
        """The stretches around the ring, the one at ``next`` in its two parts."""
        for one in self.stretches:
            if one.end > self.next:
                yield one._replace(first=max(one.first, self.next))
        for one in self.stretches:
            if one.first < self.next:
                yield one._replace(end=min(one.end, self.next))

    def checked(self, range: NameRange, time: int) -> CheckedNames:
        """These were checked at ``time``, and what follows them is next."""
        before = [one._replace(end=min(one.end, range.first)) for one in self.stretches if one.first < range.first]
        after = [one._replace(first=max(one.first, range.end)) for one in self.stretches if one.end > range.end]
        return CheckedNames(range.end % PLACES, _joined([*before, Stretch(*range, time), *after]))


def _joined(stretches: list[Stretch]) -> tuple[Stretch, ...]:
    """Neighbours of one time as one, and of too many the nearest, with the older time."""
    made: list[Stretch] = []
    for one in stretches:
        if made and made[-1].time == one.time:
            made[-1] = made[-1]._replace(end=one.end)
        else:
            made.append(one)
    while len(made) > STRETCHES_MOST:
        apart = [abs(one.time - other.time) for one, other in pairwise(made)]
        at = apart.index(min(apart))
        made[at : at + 2] = [Stretch(made[at].first, made[at + 1].end, min(made[at].time, made[at + 1].time))]
    return tuple(made)


def are_whole(stretches: tuple[Stretch, ...]) -> bool:
    """Whether they go over the whole ring in order."""
    ends = [0, *(one.end for one in stretches)]
    return ends[-1] == PLACES and all(
        one.first == end and one.first < one.end and one.time >= 0 for one, end in zip(stretches, ends, strict=False)
    )
