"""A moment as a tree: directories by page, objects by path, content by ranges, every chunk checked.

Usable in any process: catalog and vault are read by connections of its own. Whoever holds a lease of the moment (``lease``)
finds it whole however long he reads.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from agent.core import chunks
from agent.core.chunks import DATA, HOLE, PIECE, Chunk
from agent.core.errors import Damaged
from agent.core.ids import ROOT, CommitNumber, ObjectId
from agent.core.rows import ObjectRow, decode_object, file_type_of
from agent.store.catalog.reader import CatalogReader

#: The bytes of a chunk, checked against its name. Raises ``NotFound``, ``Damaged``, ``StoreFailed``.
ReadChunk: TypeAlias = Callable[[bytes], bytes]
_PAGE = 1000


class MomentEntry(NamedTuple):
    """What stands at a name. ``raw``: the bytes of its object's row; ``linked``: whether the object has other names too."""

    name: bytes
    id: ObjectId
    raw: bytes
    linked: bool

    @property
    def row(self) -> ObjectRow:
        """The object."""
        return decode_object(self.raw)

    @property
    def is_directory(self) -> bool:
        """Whether other entries stand in it."""
        return file_type_of(self.raw) == stat.S_IFDIR


class MomentReader:
    """One commit, for one thread. ``read``: a vault's; ``names`` in paths are bytes, separated by slashes, from the root."""

    def __init__(self, catalog: CatalogReader, read: ReadChunk, number: CommitNumber) -> None:
        self.catalog = catalog
        self.number = number
        self._read = read

    def object(self, id: ObjectId) -> ObjectRow | None:
        """An object by its id."""
        raw = self.catalog.object(id, self.number)
        return decode_object(raw) if raw is not None else None

    def entries(self, parent: ObjectId, after: bytes = b"", limit: int = _PAGE) -> list[MomentEntry]:
        """At most ``limit`` entries of a directory whose name is greater than ``after``, by name."""
        return [MomentEntry._make(one) for one in self.catalog.entries(parent, self.number, after, limit)]

    def every_entry(self, parent: ObjectId) -> Iterator[MomentEntry]:
        """All entries of a directory, by name, a page in memory."""
        after = b""
        while page := self.entries(parent, after):
            yield from page
            after = page[-1].name

    def at(self, path: bytes) -> ObjectRow | None:
        """The object at a path, b"" for the root; None when nothing stands there. No link is followed."""
        id = ROOT
        for name in filter(None, path.split(b"/")):
            found = self.catalog.child(id, name, self.number)
            if found is None:
                return None
            id = found
        return self.object(id)

    def owes(self, id: ObjectId) -> bool:
        """Whether some of the object's content never came (law 9)."""
        return self.catalog.owes(id, self.number)

    def chunk(self, name: bytes) -> bytes:
        """A chunk, or a part of a long list. Raises ``NotFound``, ``Damaged``, ``StoreFailed``."""
        return self._read(name)

    def content(self, row: ObjectRow) -> Iterator[Chunk]:
        """Data and holes of a file, in order. Raises as :meth:`chunk` and ``WireError`` for a list that is none."""
        return chunks.unfold(row.content, self._read)

    def within(self, row: ObjectRow, offset: int, length: int) -> Iterator[tuple[int, Chunk]]:
        """``(offset in the file, chunk)`` of the data and holes that lie in a range, wholly or in part; no other part of a long
        list is opened. Raises as :meth:`content`."""
        return chunks_within(row, offset, length, self._read)

    def bytes_at(self, row: ObjectRow, offset: int, length: int) -> bytes:
        """A range of a file, less where the file ends. Raises as :meth:`content`."""
        return b"".join(self._cut(at, entry, offset, offset + length) for at, entry in self.within(row, offset, length))

    def _cut(self, at: int, entry: Chunk, start: int, end: int) -> bytes:
        first, last = max(start - at, 0), min(end - at, entry.length)
        if entry.kind == HOLE:
            return bytes(last - first)
        data = self._read(entry.name)
        if len(data) != entry.length:
            reason = f"a chunk of {len(data)} bytes where the row says {entry.length}"
            raise Damaged("read a file", entry.name.hex(), reason, "hikae generations verify looks at all")
        return data if last - first == len(data) else data[first:last]


def chunks_within(row: ObjectRow, offset: int, length: int, read: ReadChunk) -> Iterator[tuple[int, Chunk]]:
    """See :meth:`MomentReader.within`."""
    return _within(chunks.decode(row.content), 0, offset, offset + length, read, 1)


def _within(
    entries: list[Chunk], at: int, start: int, end: int, read: ReadChunk, depth: int
) -> Iterator[tuple[int, Chunk]]:
    for entry in entries:
        if at >= end:
            return
        if at + entry.length > start:
            if entry.kind == PIECE:
                yield from _within(chunks.opened(entry, read, depth), at, start, end, read, depth + 1)
            else:
                assert entry.kind in (DATA, HOLE)
                yield at, entry
        at += entry.length
