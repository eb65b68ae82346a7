"""The ways from an object up to the root, and from the root down a path, through time: directories were renamed meanwhile.

At any one moment there is one way from a name to the root. So a way that is narrowed, step by step, to the time in which all its
steps stood either comes to the root or to no time at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from agent.core.ids import ROOT, ObjectId
from agent.core.recent_map import RecentMap
from agent.generations.finding.readable import ReadableMoments
from agent.store.catalog.reader import CatalogReader
from agent.store.catalog.schema import FOREVER
from agent.store.catalog.through_time import TimedName

#: A path with a slash at its end (the root's is empty), and from when until when it led there.
Way: TypeAlias = tuple[bytes, int, int]

_LONGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class WayLimits:
    """``directories``: whose ways and names are remembered; ``names``: of one object that are followed, the newest; ``ways``: of
    one directory."""

    directories: int = 20_000
    names: int = 1000
    ways: int = 1000


@dataclass(frozen=True, slots=True)
class Stay:
    """``object`` stood at a path from the commit ``since`` until ``until``."""

    object: ObjectId
    since: int
    until: int


class Ways:
    """For one thread. ``is_cut``: some ways were left out, as an object had too many names, or a directory too many ways."""

    def __init__(self, reader: CatalogReader, moments: ReadableMoments, limits: WayLimits | None = None) -> None:
        self._reader = reader
        self._moments = moments
        self._limits = limits or WayLimits()
        self.is_cut = False
        self._ways = RecentMap[ObjectId, list[Way]](self._limits.directories)
        self._names = RecentMap[ObjectId, list[TimedName]](self._limits.directories)

    def paths(self, name: TimedName) -> Iterator[tuple[bytes, int, int]]:
        """The paths of a name, and when it had them, as far as a moment may see that."""
        for prefix, since, until in self.to(name.parent):
            since, until = max(since, name.since), min(until, name.until)
            if self._moments.might_see(since, until):
                yield prefix + name.name, since, until

    def to(self, directory: ObjectId) -> list[Way]:
        """The ways to a directory, whenever they led there."""
        found = self._ways.get(directory)
        if found is None:
            found = self._climbed(directory)
            self._ways.remember(directory, found)
        return found

    def down(self, path: bytes) -> list[Stay]:
        """What stood at a path, the oldest first; at b"" the root."""
        stays = [Stay(ROOT, 0, FOREVER)]
        for name in path.split(b"/") if path else ():
            stays = [stay for above in stays for stay in self._below(above, name)]
        return sorted(stays, key=lambda stay: stay.since)

    def _below(self, above: Stay, name: bytes) -> Iterator[Stay]:
        for entry in self._reader.stood_for(above.object, name):
            since, until = max(above.since, entry.since), min(above.until, entry.until)
            if self._moments.might_see(since, until):
                yield Stay(entry.object, since, until)

    def _climbed(self, directory: ObjectId) -> list[Way]:
        found: list[Way] = []
        open_ways = [(directory, b"", 0, FOREVER)]
        while open_ways:
            if len(found) >= self._limits.ways:
                self.is_cut = True
                break
            at, path, since, until = open_ways.pop()
            if at == ROOT:
                found.append((path, since, until))
                continue
            for name in self._names_of(at):
                low, high = max(since, name.since), min(until, name.until)
                if self._moments.might_see(low, high) and len(path) < _LONGEST:
                    open_ways.append((name.parent, name.name + b"/" + path, low, high))
        return found

    def _names_of(self, directory: ObjectId) -> list[TimedName]:
        names = self._names.get(directory)
        if names is None:
            names = self._some_names(directory, 0, FOREVER)
            self._names.remember(directory, names)
        return names

    def _some_names(self, id: ObjectId, since: int, until: int) -> list[TimedName]:
        names = self._reader.stood_at(id, since, until, self._limits.names)
        self.is_cut |= len(names) == self._limits.names
        return names
