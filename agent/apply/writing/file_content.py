"""The content of one file: written new, compared, mended in place. Files are open descriptors, wanted content a row."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from agent.apply.ports import ReadChunk, ReadPatch
from agent.apply.results import ChunkLost
from agent.apply.writing.read_ahead import read_ahead
from agent.apply.writing.writer import ContentWriter, write_small
from agent.chunking.difference import Difference, changed_bytes
from agent.chunking.reader import LARGE
from agent.core import chunks
from agent.core.chunks import DATA, HOLE, Chunk
from agent.core.errors import Damaged, NotFound
from agent.core.rows import ObjectRow
from agent.fs.content import read_exact, segments

_READ_AHEAD = 32 << 20
_BLOCK = 1 << 20
_PAGE = 4096
_NO_BYTES = bytes(_PAGE)
#: Bytes that a difference which is kept in memory counts as, and each stretch that is laid over, beside its own.
_KNOWN, _STRETCH = 256, 320

Look = Callable[[], None]
#: ``(offset in the chunk, bytes)`` to be written over a chunk to make the next version of it.
Laid: TypeAlias = list[tuple[int, memoryview]]
_Laid: TypeAlias = tuple[int, Chunk, Chunk | None, Laid]


def entries_of(row: ObjectRow, read: ReadChunk) -> Iterator[Chunk]:
    """Data and hole entries of a file in order; raises ``ChunkLost`` for a piece that cannot be read."""
    return chunks.unfold(row.content, read)


def write_new(fd: int, row: ObjectRow, read: ReadChunk) -> int:
    """Write the whole content into an empty file; bytes written. Holes stay holes."""
    content = row.content
    if len(content) == chunks.ONE_SIZE and content[0] == DATA:
        write_small(fd, _read(read, chunks.one_chunk(content)[2], row.size))
        return row.size
    return sum(writing(ContentWriter(fd), row, read))


def writing(writer: ContentWriter, row: ObjectRow, read: ReadChunk) -> Iterator[int]:
    """:func:`write_new` in steps: yields bytes written."""
    offset = written = 0
    for entry, data in _with_bytes(row, read):
        if data:
            written += writer.put(offset, data)
            yield entry.length
        offset += entry.length
    if written != row.size:
        writer.end_at(row.size)


def _with_bytes(row: ObjectRow, read: ReadChunk) -> Iterator[tuple[Chunk, bytes]]:
    """Every entry in order with its bytes, b"" for a hole; of a large file they are read ahead."""

    def bytes_of(entry: Chunk) -> bytes:
        return _read(read, entry.name, entry.length) if entry.kind == DATA else b""

    if row.size >= LARGE:
        return read_ahead(entries_of(row, read), bytes_of)
    return ((entry, bytes_of(entry)) for entry in entries_of(row, read))


def told_lost(read: ReadChunk, look: Look) -> ReadChunk:
    """``read``, which raises ``ChunkLost`` for a chunk that cannot be had. ``look`` is called first, as in :func:`is_same`."""

    def looked(name: bytes) -> bytes:
        look()
        try:
            return read(name)
        except (Damaged, NotFound) as error:
            raise ChunkLost("apply", error.subject, error.reason, error.remedy) from error

    return looked


def is_same(fd: int, row: ObjectRow, read: ReadChunk, look: Look) -> bool:
    """Whether the file holds exactly the wanted bytes and holes. Reads it whole, unless its size says no. ``look`` is called at
    every step, and raises what is to end it."""
    return os.fstat(fd).st_size == row.size and next(_unequal(fd, row, read, look), None) is None


def comparing(fd: int, row: ObjectRow, read: ReadChunk, look: Look) -> Iterator[str]:
    """Steps of a comparison: "" for each that found nothing, then, where the file is not as wanted, "size", "content", or "holes"
    when it takes room for what should be holes. A layout that only looks different (a hole for zeros; pages that were read over
    what holds nothing) is no difference. ``look``: as :func:`is_same`."""
    if os.fstat(fd).st_size != row.size:
        yield "size"
        return
    filled = False
    for unequal in _compared(fd, row, read, look):
        yield ""
        if unequal is None:
            continue
        offset, entry = unequal
        if not _reads_same(fd, offset, entry, look):
            yield "content"
            return
        filled = filled or entry.kind == HOLE
    if filled and _wastes_room(fd, row, read):
        yield "holes"


def _wastes_room(fd: int, row: ObjectRow, read: ReadChunk) -> bool:
    """Whether holes are filled, as the disk has it, and the file so takes more room than its data."""
    # XFS takes what is cached over an extent that was allocated and never written for data (its iomap_seek_data).
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    layout, block = Layout(fd, row.size), os.fstatvfs(fd).f_frsize
    offset = room = end = 0
    filled = False
    for entry in entries_of(row, read):
        begin, offset = offset, offset + entry.length
        if entry.kind == HOLE:
            filled = filled or layout.within(begin, entry.length)[0]
        else:
            # In whole blocks, each of which is counted once.
            begin, end = max(end, begin - begin % block), offset + -offset % block
            room += max(0, end - begin)
    return filled and os.fstat(fd).st_blocks * 512 > room


def mend(fd: int, row: ObjectRow, read: ReadChunk, look: Look) -> int:
    """Make any content equal to the wanted one by rewriting what differs; believes nothing. Bytes written. ``look``: as
    :func:`is_same`."""
    writer = ContentWriter(fd)
    writer.end_at(row.size)
    return sum(_put(writer, offset, entry, read) for offset, entry in _unequal(fd, row, read, look))


def patch(fd: int, differences: Iterable[Difference], size: int, read: ReadChunk, patch_of: ReadPatch) -> int:
    """Make a file that stands equal to the wanted content, which has ``size`` bytes, by rewriting what differs from the content
    that it has. Bytes written."""
    return sum(patching(ContentWriter(fd), differences, size, read, patch_of))


def patching(
    writer: ContentWriter, differences: Iterable[Difference], size: int, read: ReadChunk, patch_of: ReadPatch
) -> Iterator[int]:
    """:func:`patch` in steps: yields bytes written.

    A chunk that is stored as a patch of the one that stands in its place is not read: only what is literal is written. Reads what
    it will need before it changes anything, up to a limit: a chunk that is lost leaves the file as it was."""
    rest = iter(differences)
    known = _looked_ahead(rest, read, patch_of)
    writer.end_at(size)
    for offset, entry, was, laid in known:
        yield _lay(writer, offset, entry, was, laid, read)
    for offset, entry, was in rest:
        yield _lay(writer, offset, entry, was, laid_over(entry, was, patch_of), read)


def _looked_ahead(differences: Iterator[Difference], read: ReadChunk, patch_of: ReadPatch) -> list[_Laid]:
    """The first of the differences, whose chunks can all be read, with what is to be laid over; it is not asked for again."""
    known: list[_Laid] = []
    ahead = 0
    for offset, entry, was in differences:
        laid = laid_over(entry, was, patch_of)
        known.append((offset, entry, was, laid))
        ahead += _KNOWN + sum(_STRETCH + len(data) for _, data in laid)
        if entry.kind == DATA and not laid:
            ahead += len(read_entry(entry, read))
        if ahead >= _READ_AHEAD:
            break
    return known


def few_bytes_differ(differences: Iterable[Difference], size: int, patch_of: ReadPatch, few: int) -> bool:
    """Whether :func:`patch` would write at most ``few`` bytes over the ``size`` bytes that stand there; what is added at the end
    does not count, as it must be written in any case. Asks for no more patches than it takes to know."""
    over = changed_bytes(differences, size) - few
    if over <= 0:
        return True
    for offset, entry, was in differences:
        if over <= 0 or offset >= size:
            break
        laid = laid_over(entry, was, patch_of)
        if laid:
            over -= entry.length - sum(len(data) for _, data in laid)
    return over <= 0


def _lay(writer: ContentWriter, offset: int, entry: Chunk, was: Chunk | None, laid: Laid, read: ReadChunk) -> int:
    if not laid and (was is None or entry.kind == HOLE):
        return _put(writer, offset, entry, read)
    pages = laid or differing_pages(writer.fd, offset, entry, read)
    return sum(writer.put(offset + at, data) for at, data in pages)


def laid_over(entry: Chunk, was: Chunk | None, patch_of: ReadPatch) -> Laid:
    """What is to be written over ``was`` to make ``entry`` of it; empty where the chunk is needed."""
    if was is None or entry.kind != DATA or was.kind != DATA or was.length != entry.length:
        return []
    patch = patch_of(entry.name)
    if patch is None or patch.bases != (was.name,) or patch.length != entry.length:
        return []
    return patch.overlay() or []


def read_entry(entry: Chunk, read: ReadChunk) -> bytes:
    """The bytes of a data entry. ``ChunkLost``."""
    return _read(read, entry.name, entry.length)


def differing_pages(fd: int, offset: int, entry: Chunk, read: ReadChunk) -> Iterator[tuple[int, memoryview]]:
    """``(offset in the chunk, bytes)`` of the runs of pages of a chunk that do not stand in the open file at ``offset``. A page
    of zeros counts among them: what stands there may be a hole."""
    data = memoryview(read_entry(entry, read))
    stands = memoryview(read_exact(fd, offset, entry.length))
    begin = -1
    for at in range(0, len(data), _PAGE):
        page = data[at : at + _PAGE]
        same = page == stands[at : at + _PAGE] and page != _NO_BYTES[: len(page)]
        if same and begin >= 0:
            yield begin, data[begin:at]
            begin = -1
        elif not same and begin < 0:
            begin = at
    if begin >= 0:
        yield begin, data[begin:]


def _put(writer: ContentWriter, offset: int, entry: Chunk, read: ReadChunk) -> int:
    if entry.kind == HOLE:
        return writer.hole(offset, entry.length)
    return writer.put(offset, _read(read, entry.name, entry.length))


def _read(read: ReadChunk, name: bytes, length: int) -> bytes:
    data = read(name)
    if len(data) != length:
        raise ChunkLost("apply", name.hex(), f"a chunk of {len(data)} bytes where the row says {length}")
    return data


def _reads_same(fd: int, offset: int, entry: Chunk, look: Look) -> bool:
    if entry.kind == DATA:
        return chunks.name_of(read_exact(fd, offset, entry.length)) == entry.name
    end = offset + entry.length
    for at in range(offset, end, _BLOCK):
        look()
        if any(read_exact(fd, at, min(_BLOCK, end - at))):
            return False
    return True


def _unequal(fd: int, row: ObjectRow, read: ReadChunk, look: Look) -> Iterator[tuple[int, Chunk]]:
    return (one for one in _compared(fd, row, read, look) if one is not None)


def _compared(fd: int, row: ObjectRow, read: ReadChunk, look: Look) -> Iterator[tuple[int, Chunk] | None]:
    """Each entry in order: with its offset where the file may differ from it, None where it is the same."""
    layout = Layout(fd, os.fstat(fd).st_size)
    offset = 0
    for entry in entries_of(row, read):
        look()
        data, hole = layout.within(offset, entry.length)
        if data if entry.kind == HOLE else hole or not _reads_same(fd, offset, entry, look):
            yield offset, entry
        else:
            yield None
        offset += entry.length


class Layout:
    """Where a file has data and where holes, asked in rising order."""

    def __init__(self, fd: int, size: int) -> None:
        self._segments = segments(fd, size)
        self._at = 0

    def within(self, offset: int, length: int) -> tuple[bool, bool]:
        """Whether the range holds data, and whether it holds a hole (or lies behind the end)."""
        found, end = self._segments, offset + length
        while self._at < len(found) and found[self._at][1] + found[self._at][2] <= offset:
            self._at += 1
        data = hole = False
        at = self._at
        while at < len(found) and found[at][1] < end:
            if found[at][0]:
                data = True
            else:
                hole = True
            at += 1
        covered = found[at - 1][1] + found[at - 1][2] if at else 0
        return data, hole or covered < end
