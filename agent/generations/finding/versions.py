"""How a version of a path is named, and what brings it back."""

from __future__ import annotations

import shlex
import stat
from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from agent.core.ids import CommitNumber
from agent.core.shell import shell_word
from agent.generations.finding.finding import Version
from agent.generations.moments import newest_at
from agent.status.figures import stamp
from agent.store.catalog.reader import CatalogReader

_SECOND = 1_000_000_000
_MICROSECOND = 1000


@dataclass(frozen=True, slots=True)
class WayBack:
    """By which ``generation``, or else ``at`` which time, a version is brought back; ``command``: with nothing but the target
    left to be filled in."""

    generation: str
    at: str
    command: str


class NamedVersions:
    """For one thread; generations as of when it was made. ``node`` keeps them: what brings a version back names it, so
    that it can be typed on any other. ``until``: the newest commit whose content it keeps, None where that is each."""

    def __init__(self, reader: CatalogReader, dataset: str, node: str, until: CommitNumber | None = None) -> None:
        self._reader = reader
        self._dataset = dataset
        self._node = node
        self._until = until
        named = sorted((one.number, one.name) for one in reader.generations())
        self._numbers = [number for number, _ in named]
        self._names = [name for _, name in named]

    def time_of(self, moment: CommitNumber) -> str | None:
        """When the primary made that commit, as JSON has it."""
        commit = self._reader.commit_at(moment)
        return stamp(commit.time) if commit is not None else None

    def way_back(self, version: Version, path: bytes) -> WayBack:
        """The newest generation that has it, since that stays; else the last moment at which it stood and is kept."""
        if self._until is not None and version.last > self._until:
            if version.first > self._until:
                return WayBack("", "", "")
            version = replace(version, last=self._until)
        at = bisect_left(self._numbers, version.last + 1) - 1
        if at >= 0 and self._numbers[at] >= version.first:
            name = self._names[at]
            return WayBack(name, "", self._command(f"--generation {name}", version, path))
        said = self._said(version)
        return WayBack("", said, self._command(f"--at {shlex.quote(said)}", version, path) if said else "")

    def _said(self, version: Version) -> str:
        """The time that names it: the roundest that does; "" where none does, as a later commit has the same."""
        commit = self._reader.commit_up_to(version.last)
        if commit is None or commit.number < version.first or version.last < self._reader.horizon():
            return ""
        for unit in (_SECOND, _MICROSECOND):
            # Upwards to the next second, or as it is shown everywhere.
            time = -(-commit.time // unit) * unit if unit == _SECOND else commit.time
            if version.first <= newest_at(self._reader, time // _MICROSECOND * _MICROSECOND) <= version.last:
                return _iso(time)
        return ""

    def _command(self, moment: str, version: Version, path: bytes) -> str:
        target = "DIR" if version.row.kind == stat.S_IFDIR else "FILE"
        where = f"--from {shlex.quote(self._node)} --to {target}"
        return f"hikae restore {shlex.quote(self._dataset)} {moment} {where} {shell_word(path)}"


def _iso(ns: int) -> str:
    moment = datetime.fromtimestamp(ns // _SECOND, UTC).replace(microsecond=ns % _SECOND // 1000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{moment.microsecond:06d}Z" if moment.microsecond else "Z")
