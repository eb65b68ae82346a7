"""What a mount shows at its top: a directory a generation, ``latest``, ``at/`` for any moment, ``by-path/`` for versions.

::

    20261122T031500Z/   the tree of that generation; also by label, or as much of its name as only one has
    latest              a link to the newest generation
    at/2026-11-22T02:13/   the tree at that local time, or at a mark
    by-path/etc/app.conf/  every version of that file; below a directory all that ever stood there
"""

from __future__ import annotations

import itertools
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from agent.core.errors import NotFound, Refused, TryAgain, UsageError
from agent.core.ids import ROOT, CommitNumber
from agent.core.recent_map import RecentMap
from agent.core.rows import ObjectRow, file_type_of
from agent.generations.finding.finding import Finder
from agent.generations.finding.readable import ReadableMoments
from agent.generations.finding.ways import Stay, Ways
from agent.generations.lease import leased
from agent.generations.moments import Moment, Watching, generation_moment, moment_at
from agent.generations.mounting.attributes import Shown
from agent.generations.mounting.images import ShownImages
from agent.generations.mounting.nodes import (
    LinkNode,
    MomentNode,
    ShownNode,
    VirtualNode,
    directory_row_of,
    virtual_inode,
)
from agent.generations.naming import generation_name
from agent.generations.reading import MomentReader, ReadChunk
from agent.store.catalog.leases import Lease
from agent.store.catalog.reader import CatalogReader

LATEST, AT, BY_PATH = b"latest", b"at", b"by-path"
#: Paths whose versions are remembered, for so many ns: who lists them asks for each.
_PATHS, _FRESH = 16, 2_000_000_000
_NO_MOMENT = (NotFound, Refused, UsageError)
_DIRECTORY, _FILE, _LINK = stat.S_IFDIR | 0o555, stat.S_IFREG | 0o444, stat.S_IFLNK | 0o777


@dataclass(frozen=True, slots=True)
class HistorySource:
    """``dataset``: its name; ``reader``: of its catalog, for the thread that asks; ``read``: a chunk's bytes, checked; ``who``
    reads, for people; ``now``: UTC ns; ``images``: of a device, which closes them; None: of a tree."""

    dataset: str
    reader: CatalogReader
    read: ReadChunk
    who: str
    now: Callable[[], int]
    shown: Shown
    images: ShownImages | None = None


class ShownHistory:
    """For one thread; ``close`` gives all leases back. A moment that was looked into stays whole until then."""

    def __init__(self, source: HistorySource, most: int = 5000) -> None:
        """``most``: moments that are open at once."""
        self._source = source
        self._most = most
        #: By path, when its versions were looked up, and what they were.
        self._looked_up = RecentMap[bytes, tuple[int, list[tuple[bytes, CommitNumber]]]](_PATHS)
        self._leases = ExitStack()
        self._opened: dict[CommitNumber, MomentReader] = {}
        self._asked: dict[bytes, CommitNumber] = {}

    def close(self) -> None:
        """Give the leases back; safe to call twice."""
        self._leases.close()
        if self._source.images is not None:
            self._source.images.close()

    def top(self) -> ShownNode:
        """The directory that is mounted."""
        return self._virtual(b"", self._at_top, self._names_at_top)

    def moment(self, moment: Moment) -> ShownNode:
        """The tree, or the image, of one moment. Raises ``NotFound`` where it cannot be read, or not any more."""
        reader, images = self._open(moment.number), self._source.images
        node = self._tree(reader) if images is None else images.directory_of(reader, self._source.shown)
        if node is None:
            raise NotFound("show a moment", self._source.dataset, "it is from before the first sync")
        return node

    def _tree(self, reader: MomentReader) -> ShownNode | None:
        row = directory_row_of(reader, ROOT)
        return MomentNode(reader, row, False, self._hold_nothing) if row is not None else None

    # --- the top

    def _at_top(self, name: bytes) -> ShownNode | None:
        if name == LATEST:
            return self._latest() if self._source.reader.generations() else None
        if name == AT:
            return self._virtual(AT, self._at_moment, self._names_at_moments)
        if name == BY_PATH and self._source.images is None:
            return self._by_path(b"")
        try:
            text = name.decode()
            return self.moment(generation_moment(self._source.reader, self._source.dataset, text))
        except (*_NO_MOMENT, UnicodeDecodeError):
            return None

    def _names_at_top(self) -> Iterator[tuple[bytes, int]]:
        generations = self._source.reader.generations()
        found = [(one.name.encode(), _DIRECTORY) for one in generations]
        by_path = [(BY_PATH, _DIRECTORY)] if self._source.images is None else []
        found += [(AT, _DIRECTORY), *by_path, *([(LATEST, _LINK)] if generations else [])]
        yield from sorted(found)

    def _latest(self) -> ShownNode:
        return LinkNode(self._source.shown, virtual_inode(LATEST), self._newest_name)

    def _newest_name(self) -> bytes:
        generations = self._source.reader.generations()
        return generations[-1].name.encode() if generations else b""

    def _at_moment(self, name: bytes) -> ShownNode | None:
        try:
            asking = Watching(self._source.now())
            moment = moment_at(self._source.reader, self._source.dataset, name.decode(), asking)
            node = self.moment(moment)
        except (*_NO_MOMENT, UnicodeDecodeError):
            return None
        self._asked[name] = moment.number
        return node

    def _names_at_moments(self) -> Iterator[tuple[bytes, int]]:
        """Those that were asked for."""
        yield from ((name, _DIRECTORY) for name in sorted(self._asked))

    # --- versions

    def _by_path(self, path: bytes) -> ShownNode:
        # A version is reached past the directories that it stood in, whose modes would keep others out: it is for who mounts.
        return VirtualNode(
            self._source.shown,
            virtual_inode(BY_PATH + b"/" + path),
            lambda name: self._below(path, name),
            lambda: self._names_below(path),
            access=0o500,
        )

    def _below(self, path: bytes, name: bytes) -> ShownNode | None:
        """A version of what stood at the path, or what stood below it."""
        reader, ways = self._ways()
        for version_name, number in self._versions(path):
            if version_name == name:
                row = self._row_at(path, number)
                return row and MomentNode(MomentReader(reader, self._source.read, number), row, False, self._hold)
        below = path + b"/" + name if path else name
        return self._by_path(below) if ways.down(below) else None

    def _row_at(self, path: bytes, number: CommitNumber) -> ObjectRow | None:
        return MomentReader(self._source.reader, self._source.read, number).at(path)

    def _names_below(self, path: bytes) -> Iterator[tuple[bytes, int]]:
        reader, ways = self._ways()
        moments = ReadableMoments(reader)
        names = {name: _FILE for name, _ in self._versions(path)}
        for stay in ways.down(path):
            for entry in reader.entries_through(stay.object):
                if moments.might_see(max(stay.since, entry.since), min(stay.until, entry.until)):
                    names[entry.name] = _DIRECTORY
        yield from sorted(names.items())

    def _versions(self, path: bytes) -> list[tuple[bytes, CommitNumber]]:
        """The versions of a file, by when each was seen first; the moment is the last that has it."""
        asked, versions = self._looked_up.get(path, (0, []))
        if self._source.now() - asked > _FRESH:
            asked, versions = self._source.now(), self._looked_for(path)
            self._looked_up.remember(path, (asked, versions))
        return versions

    def _looked_for(self, path: bytes) -> list[tuple[bytes, CommitNumber]]:
        reader, ways = self._ways()
        # Of a directory, which may have very many versions of its own, none is shown.
        if not any(self._is_file(stay) for stay in (ways.down(path) if path else ())):
            return []
        found = Finder(reader, ReadableMoments(reader)).history(path)
        if found is None:
            return []
        names: dict[str, CommitNumber] = {}
        for version in found.history:
            commit = reader.commit_at(version.first)
            if version.row.kind != stat.S_IFDIR and commit is not None:
                names[generation_name(commit.time, names)] = version.last
        return [(name.encode(), number) for name, number in names.items()]

    def _is_file(self, stay: Stay) -> bool:
        rows = self._source.reader.versions(stay.object, stay.since, stay.until)
        return any(file_type_of(row) != stat.S_IFDIR for _, _, row in itertools.islice(rows, 1))

    # --- moments and their leases

    def _open(self, number: CommitNumber) -> MomentReader:
        opened = self._opened.get(number)
        if opened is None:
            if len(self._opened) >= self._most:
                reason = f"{self._most:,} moments are open in this mount"
                raise TryAgain("show a moment", self._source.dataset, reason, "unmount it, and mount it again")
            self._leases.enter_context(leased(self._source.reader, number, self._source.who))
            opened = self._opened[number] = MomentReader(self._source.reader, self._source.read, number)
        return opened

    def _hold(self, number: CommitNumber) -> Callable[[], None]:
        lease: Lease = leased(self._source.reader, number, self._source.who)
        return lease.close

    def _hold_nothing(self, number: CommitNumber) -> Callable[[], None]:
        """Its lease stands until the mount ends."""
        return lambda: None

    def _ways(self) -> tuple[CatalogReader, Ways]:
        reader = self._source.reader
        return reader, Ways(reader, ReadableMoments(reader))

    def _virtual(
        self, path: bytes, find: Callable[[bytes], ShownNode | None], names: Callable[[], Iterator[tuple[bytes, int]]]
    ) -> ShownNode:
        return VirtualNode(self._source.shown, virtual_inode(path), find, names)
