"""What a verify has found so far, by where: so that a place that is looked at again forgets what was found there before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from agent.apply.results import Difference
from agent.core.ids import CommitNumber, ObjectId

#: ``(parent, name)`` of an entry; of a directory that cannot be listed its own id and no name.
Place: TypeAlias = tuple[ObjectId, bytes]


class VerifyFindings:
    """Of one verify, at most ``most`` differences and as many owed and changing files by path; the rest is counted."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._listed = 0
        self._found: dict[Place, tuple[CommitNumber, list[Difference]]] = {}
        self.more = 0
        self.owed: set[ObjectId] = set()
        self.owed_paths: list[bytes] = []
        self.changing: dict[ObjectId, bytes] = {}

    @property
    def equal(self) -> bool:
        """Whether there is no difference."""
        return not self._found and not self.more

    def differs(self, place: Place, at: CommitNumber, difference: Difference) -> None:
        """Something at ``place`` is not what commit ``at`` says."""
        if self._listed >= self._most:
            self.more += 1
            return
        self._listed += 1
        self._found.setdefault(place, (at, []))[1].append(difference)

    def owes(self, id: ObjectId, path: bytes) -> None:
        """A file was passed over, since it is owed."""
        if id not in self.owed and len(self.owed_paths) < self._most:
            self.owed_paths.append(path)
        self.owed.add(id)

    def forget(self, place: Place) -> None:
        """The place is looked at again."""
        _, found = self._found.pop(place, (0, []))
        self._listed -= len(found)

    def stale(self, at: CommitNumber) -> list[Place]:
        """Where differences from another commit than ``at`` were found."""
        return [place for place, (number, _) in self._found.items() if number != at]

    def listed(self) -> tuple[Difference, ...]:
        """The differences, by path."""
        return tuple(sorted(self._all(), key=lambda one: one.path))

    def _all(self) -> Iterator[Difference]:
        for _, found in self._found.values():
            yield from found
