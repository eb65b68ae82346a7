"""Directories that left a name of late: a hint may be older than what is known of them, and mean them by that name."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from agent.capture.batch import Name
from agent.core.ids import ROOT, ObjectId
from agent.core.recent_map import RecentMap

#: So many are remembered, and for so many looks.
_REMEMBERED = 10_000
#: So many directories are taken for what a path may have meant.
_WAYS = 16
#: Of what left, so many directories above are remembered in all: some 12 MiB.
_ABOVE = 200_000


class Leaving(NamedTuple):
    """A directory that left a name; ``above``: the directory that it stood in, and all above that, as they were then."""

    id: ObjectId
    above: frozenset[ObjectId]
    serial: int


class DirectoryNames(Protocol):
    """Of a batch: which directories there are, and where."""

    def child(self, parent: ObjectId, name: bytes) -> ObjectId | None:
        """The object that a name stands for."""
        ...

    def is_directory(self, id: ObjectId) -> bool:
        """Whether this is a live directory."""
        ...

    def way_to(self, id: ObjectId) -> Iterator[ObjectId]:
        """``id`` and the directories above it."""
        ...


class Moved:
    """What stood at a name before. Times are serials of looks, which rise. Belongs to one looker.

    ``serial``: that of the newest look; ``most_above``: of what left, so many directories above are remembered in all."""

    def __init__(self, batch: DirectoryNames, most_above: int = _ABOVE) -> None:
        self.serial = 0
        self._batch = batch
        self._most_above = most_above
        self._fresh: list[Leaving] = []
        self._left = RecentMap[Name, tuple[ObjectId, int]](_REMEMBERED)
        self._leavings: deque[Leaving] = deque()
        self._above = 0

    def __bool__(self) -> bool:
        return bool(self._left)

    def look_begins(self) -> None:
        """A hint is looked at."""
        self.serial += 1

    def leaves(self, parent: ObjectId, name: bytes) -> None:
        """What stands at this name leaves it; remembered if it is a directory."""
        id = self._batch.child(parent, name)
        if id is not None and self._batch.is_directory(id):
            self._left.remember((parent, name), (id, self.serial))
            leaving = Leaving(id, frozenset(self._batch.way_to(parent)), self.serial)
            self._leavings.append(leaving)
            self._above += len(leaving.above)
            self._fresh.append(leaving)
            self._forget()

    def just_left(self) -> list[Leaving]:
        """What left a name since this was last asked, in that order."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def from_here(self, parent: ObjectId, name: bytes) -> ObjectId | None:
        """The directory that left this name last."""
        left = self._left.get((parent, name))
        return left[0] if left is not None else None

    def meant(self, names: list[bytes]) -> list[ObjectId]:
        """What these names lead to from the root, now or before directories on the way left theirs."""
        self._forget()
        at = [ROOT]
        for name in names:
            now = [self._batch.child(parent, name) for parent in at]
            before = [self.from_here(parent, name) for parent in at]
            at = list(dict.fromkeys(id for id in (*now, *before) if id is not None))[:_WAYS]
        return at

    def out_of(self, top: ObjectId) -> set[ObjectId]:
        """The directories that stood below ``top`` and left; what left one of those later too: a hint about all below it may mean
        what is in them."""
        self._forget()
        return followed({top}, self._leavings) - {top}

    def _forget(self) -> None:
        oldest = self.serial - _REMEMBERED
        while self._left and next(iter(self._left.values()))[1] < oldest:
            self._left.popitem(last=False)
        while self._leavings and (self._above > self._most_above or self._leavings[0].serial < oldest):
            self._above -= len(self._leavings.popleft().above)


def followed(tops: Iterable[ObjectId], leavings: Iterable[Leaving]) -> set[ObjectId]:
    """``tops``, and the directories that left from below one of these; ``leavings`` in the order in which they happened."""
    found = set(tops)
    for leaving in leavings:
        if not found.isdisjoint(leaving.above):
            found.add(leaving.id)
    return found
