"""Directories that left a name of late: a hint may be older than what is known of them, and mean them by that name."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import NamedTuple

from agent.capture.batch import Name, TreeBatch
from agent.core.ids import ROOT, ObjectId

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


class Moved:
    """What stood at a name before. Times are serials of looks, which rise. Belongs to one looker.

    ``fresh``: what left since this list was emptied, in that order."""

    def __init__(self, batch: TreeBatch) -> None:
        self.fresh: list[Leaving] = []
        self._batch = batch
        self._left: OrderedDict[Name, tuple[ObjectId, int]] = OrderedDict()
        self._leavings: deque[Leaving] = deque()
        self._above = 0

    def __bool__(self) -> bool:
        return bool(self._left)

    def leaves(self, parent: ObjectId, name: bytes, serial: int) -> None:
        """What stands at this name leaves it; remembered if it is a directory."""
        id = self._batch.child(parent, name)
        if id is not None and self._batch.is_directory(id):
            self._left.pop((parent, name), None)
            self._left[parent, name] = id, serial
            if len(self._left) > _REMEMBERED:
                self._left.popitem(last=False)
            leaving = Leaving(id, frozenset(self._batch.way_to(parent)), serial)
            self._leavings.append(leaving)
            self._above += len(leaving.above)
            self.fresh.append(leaving)
            self._forget(serial)

    def from_here(self, parent: ObjectId, name: bytes) -> ObjectId | None:
        """The directory that left this name last."""
        left = self._left.get((parent, name))
        return left[0] if left is not None else None

    def meant(self, names: list[bytes], serial: int) -> list[ObjectId]:
        """What these names lead to from the root, now or before directories on the way left theirs."""
        self._forget(serial)
        at = [ROOT]
        for name in names:
            now = [self._batch.child(parent, name) for parent in at]
            before = [self.from_here(parent, name) for parent in at]
            at = list(dict.fromkeys(id for id in (*now, *before) if id is not None))[:_WAYS]
        return at

    def out_of(self, top: ObjectId, serial: int) -> set[ObjectId]:
        """The directories that stood below ``top`` and left; what left one of those later too."""
        self._forget(serial)
        return followed({top}, self._leavings) - {top}

    def _forget(self, serial: int) -> None:
        while self._left and next(iter(self._left.values()))[1] < serial - _REMEMBERED:
            self._left.popitem(last=False)
        while self._leavings and (self._above > _ABOVE or self._leavings[0].serial < serial - _REMEMBERED):
            self._above -= len(self._leavings.popleft().above)


def followed(tops: Iterable[ObjectId], leavings: Iterable[Leaving]) -> set[ObjectId]:
    """``tops``, and the directories that left from below one of these; ``leavings`` in the order in which they happened."""
    found = set(tops)
    for leaving in leavings:
        if not found.isdisjoint(leaving.above):
            found.add(leaving.id)
    return found
