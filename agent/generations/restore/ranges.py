"""A stretch of one large file, made in its place by one of several processes."""

from __future__ import annotations

import os

from agent.apply.writing.file_content import Layout
from agent.apply.writing.writer import ContentWriter
from agent.chunking.reader import LARGE
from agent.core import chunks
from agent.core.chunks import DATA, HOLE, Chunk
from agent.core.errors import WireError
from agent.core.rows import ObjectRow
from agent.fs.content import read_exact
from agent.generations.reading import ReadChunk, chunks_within
from agent.generations.restore.plain_files import ReadMany

#: Files from here on are shared out among the crew in stretches of so many bytes.
SHARED = 4 * LARGE
STRETCH = 32 << 20


def stretches(size: int, length: int = STRETCH) -> list[tuple[int, int]]:
    """``(offset, length)`` of the stretches of a file."""
    return [(at, min(length, size - at)) for at in range(0, size, length)]


def make_stretch(fd: int, row: ObjectRow, offset: int, length: int, read: ReadChunk, read_many: ReadMany) -> int:
    """Make what begins within a stretch of an open file of the right size as it was; bytes written. Raises as ``read``,
    ``WireError``, OSError."""
    writer, written = ContentWriter(fd), 0
    layout = Layout(fd, os.fstat(fd).st_size)
    lacking: list[tuple[int, Chunk]] = []
    for at, entry in chunks_within(row, offset, length, read):
        if at < offset or _stands(fd, layout, at, entry):
            continue
        if entry.kind == HOLE:
            writer.hole(at, entry.length)
        else:
            lacking.append((at, entry))
    for at, entry in lacking:
        # One after the other: what was read is still in the processor's cache when it is named and written.
        data = read_many((entry.name,)).get(entry.name) or read(entry.name)
        if len(data) != entry.length:
            reason = f"a chunk of {len(data)} bytes where the row says {entry.length}"
            raise WireError("restore", entry.name.hex(), reason)
        written += writer.put(at, data)
    return written


def _stands(fd: int, layout: Layout, at: int, entry: Chunk) -> bool:
    data, hole = layout.within(at, entry.length)
    if entry.kind == HOLE:
        return not data
    return entry.kind == DATA and not hole and chunks.name_of(read_exact(fd, at, entry.length)) == entry.name
