"""What has to be written into a file that stands to make it the next version of itself, and writing it.

An append of a line to a log changes its last chunk; the chunk is read from the vault, and what it has in common with what stands
there is not written again. Nothing is written before all of it is in hand, so a chunk that is lost leaves the file as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.apply.ports import ReadChunk, ReadPatch
from agent.apply.writing.file_content import differing_pages, laid_over
from agent.apply.writing.writer import ContentWriter
from agent.chunking.difference import replaced
from agent.core.chunks import HOLE
from agent.core.rows import ObjectRow

#: Stretches of one file, at most: some 10 MiB beside their bytes.
_STRETCHES = 32_768


@dataclass(frozen=True, slots=True)
class Overwrite:
    """``data`` at ``offset``, or a hole of ``hole`` bytes."""

    offset: int
    data: bytes | memoryview = b""
    hole: int = 0


def overwrites(
    fd: int, old: ObjectRow, new: ObjectRow, read: ReadChunk, patch_of: ReadPatch, few: int
) -> list[Overwrite] | None:
    """What makes the open file, which holds ``old``, equal ``new``; None when that is over ``few`` bytes, not counting what is
    written behind the old end: that must be written in any case; None also for very many stretches. Holds all of it in memory:
    for files of bounded size. ``ChunkLost``, OSError."""
    found: list[Overwrite] = []
    within = 0
    for one in _differing(fd, old, new, read, patch_of):
        found.append(one)
        within += min(len(one.data), max(0, old.size - one.offset))
        if within > few or len(found) > _STRETCHES:
            return None
    return found


def write_changes(fd: int, changes: list[Overwrite], size: int) -> int:
    """Carry them out in a file that is to have ``size`` bytes; bytes written. OSError leaves it half-written."""
    writer = ContentWriter(fd)
    writer.end_at(size)
    return sum(writer.hole(one.offset, one.hole) if one.hole else writer.put(one.offset, one.data) for one in changes)


def _differing(fd: int, old: ObjectRow, new: ObjectRow, read: ReadChunk, patch_of: ReadPatch) -> Iterator[Overwrite]:
    for offset, entry, was in replaced(old.content, new.content, read):
        if entry.kind == HOLE:
            yield Overwrite(offset, hole=entry.length)
            continue
        laid = laid_over(entry, was, patch_of) or differing_pages(fd, offset, entry, read)
        yield from (Overwrite(offset + at, data) for at, data in laid)
