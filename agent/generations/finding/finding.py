"""Paths that were ever there, in moments that can be read, and the history of each.

What may match is gathered first, by whichever way is shorter: down the directories that the pattern names, or over all names.
Then each path is followed down from the root through all its time, which says what it was and when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.core.ids import ROOT, CommitNumber
from agent.core.rows import ObjectRow, decode_object
from agent.generations.comparing.change import differing
from agent.generations.finding.pattern import Pattern, literally
from agent.generations.finding.readable import ReadableMoments
from agent.generations.finding.walking import walked
from agent.generations.finding.ways import Stay, Ways
from agent.store.catalog.reader import CatalogReader
from agent.store.catalog.schema import FOREVER
from agent.store.catalog.through_time import TimedName


@dataclass(frozen=True, slots=True)
class FindLimits:
    """``paths``: that are given; ``versions``: of each, the newest; ``all_versions``: of all paths together, beyond which only
    the newest of each is."""

    paths: int = 10_000
    versions: int = 1000
    all_versions: int = 20_000


@dataclass(frozen=True, slots=True)
class Version:
    """What stood at a path from the moment ``first`` to the moment ``last``; both can be read."""

    first: CommitNumber
    last: CommitNumber
    row: ObjectRow


@dataclass(frozen=True, slots=True)
class FoundPath:
    """A path. ``versions``: how many there were, of which ``history`` has the newest, oldest first. ``gone``: the first moment
    after the last version, None where it stands in the newest moment."""

    path: bytes
    first: CommitNumber
    last: CommitNumber
    versions: int
    gone: CommitNumber | None
    history: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """By path; ``is_cut``: there are more."""

    found: list[FoundPath]
    is_cut: bool


class Finder:
    """For one thread. ``look`` is called now and then, and raises what is to end it."""

    def __init__(
        self,
        reader: CatalogReader,
        moments: ReadableMoments,
        limits: FindLimits | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._reader = reader
        self._moments = moments
        self._ways = Ways(reader, moments)
        self._limits = limits or FindLimits()
        self._look = look

    def find(self, pattern: Pattern) -> Findings:
        """Every path that matches. Raises ``Damaged``, ``StoreFailed``."""
        paths = {literally(pattern.text)}
        is_cut = False
        for path in self._candidates(pattern):
            if len(paths) > self._limits.paths:
                is_cut = True
                break
            paths.add(path)
        found: list[FoundPath] = []
        room = self._limits.all_versions
        for path in sorted(paths):
            if (one := self.history(path, max(1, min(room, self._limits.versions)))) is not None:
                room -= len(one.history)
                found.append(one)
        return Findings(found[: self._limits.paths], is_cut or self._ways.is_cut or len(found) > self._limits.paths)

    def history(self, path: bytes, most: int | None = None) -> FoundPath | None:
        """What stood at one path; None where no moment saw anything there. ``most``: versions that are given."""
        self._look()
        told, count = deque[Version](maxlen=most or self._limits.versions), 0
        first: CommitNumber | None = None
        for version in self._versions(path):
            if told and self._goes_on(told[-1], version):
                told[-1] = Version(told[-1].first, version.last, version.row)
                continue
            first = first or version.first
            told.append(version)
            count += 1
        if first is None:
            return None
        last = told[-1].last
        return FoundPath(path, first, last, count, self._moments.first_from(last + 1), tuple(told))

    def _goes_on(self, before: Version, after: Version) -> bool:
        """Whether the second is the first still: as if nothing had happened in between."""
        return not differing(before.row, after.row) and self._moments.first_from(before.last + 1) == after.first

    def _versions(self, path: bytes) -> Iterator[Version]:
        for stay in self._ways.down(path):
            for since, until, row in self._reader.versions(stay.object, stay.since, stay.until):
                since, until = max(since, stay.since), min(until, stay.until)
                if (first := self._moments.first_from(since)) is not None and first < until:
                    last = self._moments.last_before(until)
                    assert last is not None
                    yield Version(first, last, decode_object(row))

    # --- what may match

    def _candidates(self, pattern: Pattern) -> Iterator[bytes]:
        if (path := pattern.literal) is not None:
            yield path
            return
        at = pattern.to_scan_for()
        if at is None:
            yield from self._walk(Stay(ROOT, 0, FOREVER), b"", pattern)
            return
        below = pattern.below(at)
        for name, path, since, until in self._scanned(pattern.down_to(at)):
            if below is None:
                yield path
            else:
                yield from self._walk(Stay(name.object, since, until), path + b"/", below)

    def _scanned(self, pattern: Pattern) -> Iterator[tuple[TimedName, bytes, int, int]]:
        """Over all names: those that the last one of the pattern may be, with those of their ways that match."""
        last, matches = pattern.parts[-1], pattern.compiled().fullmatch
        may_be = Pattern(b"", (last,)).compiled().fullmatch
        for names in self._reader.names_scanned(last.literal or last.held, last.literal is not None):
            self._look()
            for name in names:
                if may_be(name.name):
                    for path, since, until in self._ways.paths(name):
                        if matches(path):
                            yield name, path, since, until

    def _walk(self, top: Stay, prefix: bytes, pattern: Pattern) -> Iterator[bytes]:
        for path in walked(self._reader, self._moments, top, pattern):
            self._look()
            yield prefix + path
