"""What lies between two moments, and what stood where: asked of the node that keeps the history."""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.core.errors import Refused, TryAgain, UsageError
from agent.operations.declaration import DatasetRequest, FromAfar, Json, dataset_operation, no_call
from agent.operations.running import DatasetCall
from agent.status.figures import stamp
from agent.status.published import number_json
from agent.status.state import Role
from agent.status.text import shown

if TYPE_CHECKING:
    from agent.core.rows import ObjectRow
    from agent.generations.comparing.change import Change, ChangeKind
    from agent.generations.comparing.extents import ChangedExtent
    from agent.generations.finding.finding import FoundPath, Version
    from agent.generations.finding.readable import ReadableMoments
    from agent.generations.finding.versions import NamedVersions
    from agent.generations.moments import Moment
    from agent.store.catalog.reader import CatalogReader

#: Paths in one answer.
MOST_ENTRIES = 10_000
#: Bytes of paths in one word of progress.
_WORD = 16 << 10
#: Seconds between two words to who waits.
_STEP = 0.5
#: What an entry takes beside its path.
_ENTRY = 200
KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFSOCK: "socket",
}


@dataclass(frozen=True, slots=True)
class DiffRequest(DatasetRequest[Json]):
    """What makes the tree of the moment ``old`` that of ``new``: generations, local times, marks' labels, or ``now``.

    ``{"from", "to", "from_commit", "to_commit", "from_sentence", "to_sentence", "added", "changed", "moved", "deleted",
    "entries": [{"what", "path", "from", "kind", "kind_before", "bytes", "bytes_before", "differs", "names"}], "more"}``;
    ``from``, ``to``: a generation's name, or the time. At most ``limit`` entries are given, by path; ``more`` says how many there
    are beyond. Of a device entries are extents, ``{"what", "path", "kind": "extent", "start", "end", "bytes", "bytes_before"}``,
    and ``changed_bytes`` says how much lies in them all. With ``stream`` progress has all of them, ``{"entries", "first"}`` (the
    index of the first of these), as far as it is heard: what comes from another node may lack some. Each word names what is
    compared: ``{"moments": [from_sentence, to_sentence]}``."""

    old: str = ""
    new: str = "now"
    limit: int = field(default=MOST_ENTRIES, metadata={"most": MOST_ENTRIES})
    stream: bool = False


@dataclass(frozen=True, slots=True)
class FindRequest(DatasetRequest[list[Json]]):
    """The paths that match ``pattern`` in any moment that can be read, of those from ``since`` to ``until`` (moments as in a
    diff; "": no bound).

    ``[{"path", "first", "last", "versions", "deleted", "kind", "bytes", "node", "history": [{"first", "last", "kind", "bytes",
    "mtime", "differs", "generation", "at", "command"}]}]``: when it was there first and last, how many versions there were, and
    by when it was gone (null: it stands). ``history`` is given for a pattern without wildcards. The last item is
    ``{"more": true}`` where paths were left out. Progress says what is looked through: ``{"through": {"node", "first",
    "last", "every_since", "generations"}}``, the first and last moment (null: there is none), since when it is every moment, and
    how many generations lie before that."""

    ANSWER = list

    pattern: str = ""
    since: str = ""
    until: str = ""


@dataset_operation(
    "generations-diff", DiffRequest, role=Role.STANDBY, long=True, changes=no_call, afar=FromAfar(), of_history=True
)
def _diff(call: DatasetCall, request: DiffRequest) -> Json:
    # Only in the agent, here and below: the command line imports this module for its requests.
    from agent.generations.any_moment import any_moment
    from agent.generations.comparing.comparison import changes_between
    from agent.generations.comparing.extents import extents_between
    from agent.generations.lease import leased
    from agent.generations.moments import Watching

    with _reader(call) as reader:
        asking = Watching(time.time_ns())
        old, new = (any_moment(reader, call.dataset, said, asking) for said in (request.old, request.new))
        look = _Looking(call, {"phase": "comparing", "moments": [old.sentence(), new.sentence()]})
        look()
        who = f"hikae generations diff of {call.dataset}"
        with leased(reader, old.number, who), leased(reader, new.number, who):
            answer = _Answer(call, request, look.told)
            if not call.member.dataset.is_device:
                for change in changes_between(reader, old.number, new.number, look):
                    answer.add(change)
                return answer.finished(old, new)
            for extent in extents_between(reader, old.number, new.number, look):
                answer.add_extent(extent)
    return {**answer.finished(old, new), "changed_bytes": answer.changed_bytes}


@dataset_operation("find", FindRequest, role=Role.STANDBY, long=True, changes=no_call, afar=FromAfar(), of_history=True)
def _find(call: DatasetCall, request: FindRequest) -> list[Json]:
    from agent.generations.any_moment import bounds
    from agent.generations.finding.finding import Finder
    from agent.generations.finding.pattern import parse_pattern
    from agent.generations.finding.readable import ReadableMoments
    from agent.generations.finding.versions import NamedVersions
    from agent.generations.moments import Watching

    _require_names(call)
    pattern = parse_pattern(_below_root(call, os.fsencode(request.pattern)))
    with _reader(call) as reader:
        low, high = bounds(reader, call.dataset, request.since, request.until, Watching(time.time_ns()))
        moments = ReadableMoments(reader, low, high)
        versions = NamedVersions(reader, call.dataset, call.member.node, call.member.received_until)
        look = _Looking(call, {"phase": "finding", "through": _through(call, reader, moments, versions)})
        look()
        findings = Finder(reader, moments, look=look).find(pattern)
        found = [_found_json(call, one, versions, with_history=pattern.is_plain) for one in findings.found]
    return [*found, {"more": True}] if findings.is_cut else found


def _through(call: DatasetCall, reader: CatalogReader, moments: ReadableMoments, versions: NamedVersions) -> Json:
    """What is looked through."""
    ends, horizon = moments.ends(), reader.horizon()
    if ends is None:
        return {"node": call.member.node, "first": None, "last": None, "every_since": None, "generations": 0}
    first, last = ends
    since = moments.first_from(max(first, horizon))
    before = {one.number for one in reader.generations() if first <= one.number <= last and one.number < horizon}
    return {
        "node": call.member.node,
        "first": versions.time_of(first),
        "last": versions.time_of(last),
        "every_since": versions.time_of(since) if since is not None else None,
        "generations": len(before),
    }


def _reader(call: DatasetCall) -> CatalogReader:
    return call.member.history().reader()


def _require_names(call: DatasetCall) -> None:
    if call.member.dataset.is_device:
        remedy = (
            f"hikae mount {call.dataset} DIR shows each moment as an image; mount that "
            "(losetup -r -P, mount -o ro,noload), and look there"
        )
        raise Refused("find", call.dataset, "it is a device: hikae knows no names of what is on it", remedy)


class _Looking:
    """Called now and then while history is gone through: ends that when the agent stops, or nobody waits for it any more.
    ``told``: what is gone through, in every word, as of those from another node only the newest is heard."""

    def __init__(self, call: DatasetCall, told: Json) -> None:
        self._call = call
        self.told = told
        self._due = 0.0

    def __call__(self) -> None:
        if self._call.agent.stopping.is_set():
            raise TryAgain("look through history", self._call.dataset, "the agent is stopping")
        if (now := time.monotonic()) >= self._due:
            self._due = now + _STEP
            self._call.progress(self.told)


def _below_root(call: DatasetCall, pattern: bytes) -> bytes:
    """A path that was given whole, without the root of the dataset."""
    root = os.fsencode(call.member.dataset.path).rstrip(b"/")
    if pattern.rstrip(b"/") == root:
        raise UsageError("find", shown(pattern), "this is the root of the dataset itself", "name what is below it")
    return b"/" + pattern[len(root) + 1 :] if pattern.startswith(root + b"/") else pattern


class _Answer:
    """Counts what is told, gathers as many entries as are wanted, and streams all, each word with ``told`` too."""

    def __init__(self, call: DatasetCall, request: DiffRequest, told: Json) -> None:
        self._call = call
        self._told = told
        self._request = request
        self._counts = Counter[str]()
        self._entries: list[Json] = []
        self._word, self._size = list[Json](), 0
        self.changed_bytes = 0

    def add(self, change: Change) -> None:
        """One path."""
        if self._is_told(change.kind):
            self._take(_change_json(change), _ENTRY + len(change.path) + len(change.source or b""))

    def add_extent(self, extent: ChangedExtent) -> None:
        """One range of a device."""
        self.changed_bytes += extent.end - extent.start
        if self._is_told(extent.kind):
            self._take(_extent_json(extent), _ENTRY)

    def _is_told(self, kind: ChangeKind) -> bool:
        """Count one; whether anybody wants to hear what it is."""
        self._counts[kind] += 1
        return len(self._entries) < self._request.limit or self._request.stream

    def _take(self, entry: Json, size: int) -> None:
        if len(self._entries) < self._request.limit:
            self._entries.append(entry)
        if self._request.stream:
            self._word.append(entry)
            self._size += size
            if self._size > _WORD:
                self._tell()

    def finished(self, old: Moment, new: Moment) -> Json:
        """The whole answer."""
        if self._word:
            self._tell()
        counts = {what: self._counts[what] for what in ("added", "changed", "moved", "deleted")}
        more = self._counts.total() - len(self._entries)
        return {
            **_moment_json("from", old),
            **_moment_json("to", new),
            **counts,
            "entries": self._entries,
            "more": more,
        }

    def _tell(self) -> None:
        self._call.progress({**self._told, "entries": self._word, "first": self._counts.total() - len(self._word)})
        self._word, self._size = [], 0


def _moment_json(which: str, moment: Moment) -> Json:
    return {
        which: moment.name or stamp(moment.time),
        f"{which}_commit": number_json(moment.number),
        f"{which}_sentence": moment.sentence(),
    }


def _change_json(change: Change) -> Json:
    there = change.new or change.old
    entry: Json = {"what": change.kind.value, **_path_json(change.path)}
    if change.source is not None:
        entry["from"] = shown(change.source)
    entry["kind"] = _kind(there)
    if change.old is not None and change.new is not None and change.old.kind != change.new.kind:
        entry["kind_before"] = _kind(change.old)
    entry["bytes"] = change.new.size if change.new is not None else 0
    entry["bytes_before"] = change.old.size if change.old is not None else 0
    entry["differs"] = list(change.differs)
    if change.names > 1:
        entry["names"] = change.names
    return entry


def _extent_json(extent: ChangedExtent) -> Json:
    from agent.generations.devices.words import bytes_words

    length = extent.end - extent.start
    return {
        "what": extent.kind.value,
        "path": bytes_words(extent.start, extent.end).decode(),
        "kind": "extent",
        "start": extent.start,
        "end": extent.end,
        "bytes": 0 if extent.kind == "deleted" else length,
        "bytes_before": 0 if extent.kind == "added" else length,
        "differs": ["content"] if extent.kind == "changed" else [],
    }


def _found_json(call: DatasetCall, found: FoundPath, versions: NamedVersions, with_history: bool) -> Json:
    last = found.history[-1].row
    told: Json = {
        **_path_json(found.path),
        "first": versions.time_of(found.first),
        "last": versions.time_of(found.last),
        "versions": found.versions,
        "deleted": versions.time_of(found.gone) if found.gone is not None else None,
        "kind": _kind(last),
        "bytes": last.size,
        "node": call.member.node,
    }
    if with_history:
        before = (None, *found.history)
        pairs = zip(before, found.history, strict=False)
        told["history"] = [_version_json(one, old, found.path, versions) for old, one in pairs]
    return told


def _version_json(version: Version, before: Version | None, path: bytes, versions: NamedVersions) -> Json:
    from agent.generations.comparing.change import differing

    way = versions.way_back(version, path)
    return {
        "first": versions.time_of(version.first),
        "last": versions.time_of(version.last),
        "kind": _kind(version.row),
        "bytes": version.row.size,
        "mtime": stamp(version.row.mtime),
        "differs": list(differing(before.row, version.row)) if before is not None else [],
        "generation": way.generation or None,
        "at": way.at or None,
        "command": way.command,
    }


def _path_json(path: bytes) -> Json:
    """A path as it is shown; where that does not say which bytes it is, these too."""
    text = shown(path)
    return {"path": text} if text.encode("utf-8", "replace") == path else {"path": text, "path_hex": path.hex()}


def _kind(row: ObjectRow | None) -> str:
    return KINDS.get(row.kind, "unknown") if row is not None else "unknown"
