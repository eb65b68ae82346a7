"""Paths of names at one moment."""

from __future__ import annotations

from typing import Protocol

from agent.core.ids import ROOT, CommitNumber, ObjectId
from agent.core.recent_map import RecentMap

#: What stands before a name to which no way leads.
LOST = b"?/"


class NameRows(Protocol):
    """What is asked of a catalog's reader."""

    def some_names(self, id: ObjectId, most: int, at: CommitNumber | None = None) -> list[tuple[ObjectId, bytes]]: ...


class PathsAt:
    """The paths of the moment ``at``; for one thread. ``remembered``: so many directories."""

    def __init__(self, rows: NameRows, at: CommitNumber, remembered: int = 20_000) -> None:
        self._rows = rows
        self._at = at
        #: By directory, with a slash at the end; the root's is empty.
        self._prefixes = RecentMap[ObjectId, bytes](remembered)

    def path(self, parent: ObjectId, name: bytes) -> bytes:
        """Where a name stands."""
        prefix = self._prefixes.get(parent)
        return (self._prefix(parent) if prefix is None else prefix) + name

    def path_of(self, id: ObjectId) -> tuple[bytes, int]:
        """Where an object stands by one of its names; and how many it has, counted up to a thousand. The root is ``.``."""
        if id == ROOT:
            return b".", 1
        names = self._rows.some_names(id, 1000, self._at)
        if not names:
            return LOST + b"%d" % id, 1
        return min(self.path(*name) for name in names), len(names)

    def _prefix(self, directory: ObjectId) -> bytes:
        """Up to the root, or a directory that is known, and down again."""
        way: list[tuple[ObjectId, bytes]] = []
        passed = set[ObjectId]()
        at, prefix = directory, b""
        while at != ROOT and (known := self._prefixes.get(at)) is None:
            names = self._rows.some_names(at, 1, self._at)
            if not names or at in passed:
                prefix = LOST
                break
            passed.add(at)
            way.append((at, names[0][1]))
            at = names[0][0]
        else:
            prefix = b"" if at == ROOT else known or b""
        for id, name in reversed(way):
            prefix += name + b"/"
            self._prefixes.remember(id, prefix)
        return prefix
