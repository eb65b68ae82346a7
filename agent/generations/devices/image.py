"""A moment of a device as an image: how long it is, and its data and holes by ranges, every chunk checked.

A chunk without a row reads as zeros, and is a hole.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.core.chunks import DATA, DEVICE_CHUNK, HOLE, Chunk
from agent.core.errors import Damaged
from agent.core.ids import ChunkNumber, CommitNumber
from agent.core.rows import ChunkRow, decode_chunk
from agent.generations.reading import ReadChunk
from agent.store.catalog.reader import CatalogReader

#: Chunks that are looked up at once: 64 MiB of the device.
_PAGE = 1024


class DeviceImage:
    """One commit of a device, for one thread. ``read``: a vault's. It satisfies ``mounting.content.RangedContent``."""

    def __init__(self, catalog: CatalogReader, read: ReadChunk, number: CommitNumber) -> None:
        self.catalog = catalog
        self.number = number
        self.read_chunk = read
        last = catalog.last_chunk(number)
        #: Bytes; 0 before anything came.
        self.size = decode_chunk(last).end if last is not None else 0

    def rows_within(self, offset: int, length: int) -> Iterator[ChunkRow]:
        """The chunks that lie in a range, wholly or in part, by number; what is between them is zeros."""
        end = min(offset + length, self.size)
        first, last = offset // DEVICE_CHUNK + 1, -(-end // DEVICE_CHUNK)
        # What was never written is passed over at once, however much that is.
        while (found := self.catalog.next_chunk(ChunkNumber(first))) is not None and found <= last:
            upto = min(last, found + _PAGE - 1)
            for raw in self.catalog.chunks_within(found, ChunkNumber(upto), self.number):
                yield decode_chunk(raw)
            first = upto + 1

    def within(self, offset: int, length: int) -> Iterator[tuple[int, Chunk]]:
        """``(offset in the device, chunk)`` of the data and holes that lie in a range, wholly or in part, without gaps."""
        end = min(offset + length, self.size)
        at = offset - offset % DEVICE_CHUNK
        for row in self.rows_within(offset, length):
            if row.offset > at:
                yield at, Chunk(HOLE, row.offset - at)
            yield row.offset, Chunk(DATA, row.length, row.name)
            at = row.end
        if at < end:
            yield at, Chunk(HOLE, min(end + -end % DEVICE_CHUNK, self.size) - at)

    def bytes_at(self, offset: int, length: int) -> bytes:
        """A range, less where the device ends. Raises ``NotFound``, ``Damaged``, ``StoreFailed``."""
        end = min(offset + length, self.size)
        return b"".join(self._cut(at, entry, offset, end) for at, entry in self.within(offset, length))

    def _cut(self, at: int, entry: Chunk, start: int, end: int) -> bytes:
        first, last = max(start - at, 0), min(end - at, entry.length)
        if entry.kind == HOLE:
            return bytes(last - first)
        return checked_length(self.read_chunk(entry.name), entry)[first:last]


def checked_length(data: bytes, entry: Chunk) -> bytes:
    """A chunk's bytes, as long as its row says. Raises ``Damaged``."""
    if len(data) != entry.length:
        reason = f"a chunk of {len(data)} bytes where the row says {entry.length}"
        raise Damaged("read a device", entry.name.hex(), reason, "hikae generations verify looks at all")
    return data
