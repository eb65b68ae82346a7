"""What is in a file, beside the version that the batch has."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent.capture.batch import TreeBatch
from agent.capture.files.contents import FileContents, WholeRead
from agent.chunking.pages import CHANGED_PAGED
from agent.core import chunks
from agent.core.chunks import DATA, HOLE, PIECE, Chunk
from agent.core.commit import Changes
from agent.core.errors import Damaged, WireError
from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow, decode_object, encode_object
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local
from agent.store.pieces import KeptPieces
from fakes.promoted import CountedReads
from fakes.store_fakes import begun, header

ID = ObjectId(7)


class Reading:
    """A batch over empty stores, and how its files are read."""

    def __init__(self, batch: TreeBatch, pieces: KeptPieces) -> None:
        self.reads = CountedReads()
        self.contents = FileContents(batch, pieces, 42, self.reads)
        self.pages = batch.pages(42)


class Asked(TreeBatch):
    """``asked``: how many parts of lists each question was for."""

    def __init__(self, catalog: Catalog, local: Local) -> None:
        super().__init__(catalog, local)
        self.asked: list[int] = []

    def kept_pieces(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        self.asked.append(len(names))
        return super().kept_pieces(names)


class Truncating(CountedReads):
    """Somebody truncates a file to ``left`` bytes just before it is read."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self._left = left

    def pread(self, fd: int, length: int, offset: int, /) -> bytes:
        os.truncate(fd, self._left)
        return super().pread(fd, length, offset)


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Reading]:
    """Of a dataset of which nothing is known."""
    with begun(str(tmp_path / "catalog.db")) as catalog, Local.open(str(tmp_path / "local.db")) as local:
        yield Reading(TreeBatch(catalog, local), KeptPieces(catalog, None))


def chunk_list(reading: Reading, path: Path, was: bytes | None = None) -> bytes:
    """Of the file as it is now; ``was``: its row."""
    fd = os.open(path, os.O_RDONLY)
    try:
        content = reading.contents.read_whole(ID, was, fd, os.fstat(fd).st_size).content
    finally:
        os.close(fd)
    return content.chunks


def test_every_byte_is_read_once_and_an_empty_file_not_at_all(reading: Reading, tmp_path: Path) -> None:
    """Of a file with holes only what is data."""
    (tmp_path / "empty").touch()
    assert (b"", 0) == (chunk_list(reading, tmp_path / "empty"), reading.reads.bytes)
    (tmp_path / "file").write_bytes(os.urandom(100_000))
    chunk_list(reading, tmp_path / "file")
    assert 100_000 == reading.reads.bytes


def test_a_file_with_a_hole_is_listed_with_it(reading: Reading, tmp_path: Path) -> None:
    """It costs nothing to read."""
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 20)
    kinds = [entry.kind for entry in chunks.decode(chunk_list(reading, tmp_path / "sparse"))]
    assert ([HOLE], 0) == (kinds, reading.reads.bytes)


def test_what_did_not_change_keeps_its_names(reading: Reading, tmp_path: Path) -> None:
    """Also without prints, as of an object that another node captured."""
    (tmp_path / "file").write_bytes(os.urandom(300_000))
    listed = chunk_list(reading, tmp_path / "file")
    row = encode_object(ObjectRow(ID, 0o100644, 0, 0, 0, 0, 300_000, 0, (), listed))
    assert listed == decode_object(row).content == chunk_list(reading, tmp_path / "file", row)


def read_again(reading: Reading, path: Path, before: bytes, now: bytes, size: int | None = None) -> WholeRead:
    """Of a known file that held ``before``; ``size``: what its stat said, if that is not so any more."""
    path.write_bytes(before)
    listed = chunk_list(reading, path)
    path.write_bytes(now)
    row = encode_object(ObjectRow(ID, 0o100644, 0, 0, 0, 0, len(before), 0, (), listed))
    fd = os.open(path, os.O_RDONLY)
    try:
        return reading.contents.read_whole(ID, row, fd, len(now) if size is None else size)
    finally:
        os.close(fd)


def test_a_small_file_that_is_read_again_needs_no_reader(reading: Reading, tmp_path: Path) -> None:
    """Whether it is as it was, was added to, or is another: most changes are of such files."""
    line, other = b"a line\n", b"b" * 3000
    nows = [b"a" * 3000, b"a" * 3000 + line, other]
    reads = [read_again(reading, tmp_path / "file", b"a" * 3000, now) for now in nows]
    assert [None] * 3 == [read.reader for read in reads]
    assert [[], [nows[1]], [other]] == [[data for _, _, data in read.found] for read in reads]
    grown = reads[1].found[0][0]
    assert [[], [grown], []] == [list(read.patches) for read in reads]


def test_pages_are_kept_of_a_small_file_only_once_it_changed(reading: Reading, tmp_path: Path) -> None:
    """As it was, it is read by one call; changed, by a reader that knows its pages."""
    before = os.urandom(CHANGED_PAGED)
    same = read_again(reading, tmp_path / "file", before, before)
    changed = read_again(reading, tmp_path / "file", before, before[:-1] + bytes([before[-1] ^ 1]))
    assert (True, False) == (same.reader is None, changed.reader is None)


def test_a_small_log_needs_no_pages(reading: Reading, tmp_path: Path) -> None:
    """What is only added to travels to the byte without; those that a change in its place had made are not left behind."""
    first, line = os.urandom(CHANGED_PAGED), b"a line\n"
    second = first[:-1] + b"x"
    changed = read_again(reading, tmp_path / "log", first, second)
    assert changed.reader is not None
    changed.reader.settle(committed=True)
    assert reading.pages.knows(ID)
    appended = read_again(reading, tmp_path / "log", second, second + line)
    assert (None, 1, False) == (appended.reader, len(appended.patches), reading.pages.knows(ID))


@pytest.mark.parametrize("left", [0, 10])
def test_what_is_truncated_while_it_is_read_has_no_chunk_without_bytes(tmp_path: Path, left: int) -> None:
    """A reader finds what is there, also of a new file: its stat has changed, so it is looked at again, or taken as read."""
    with begun(str(tmp_path / "catalog.db")) as catalog, Local.open(str(tmp_path / "local.db")) as local:
        contents = FileContents(TreeBatch(catalog, local), KeptPieces(catalog, None), 42, Truncating(left))
        (tmp_path / "file").write_bytes(b"a" * 100)
        fd = os.open(tmp_path / "file", os.O_RDWR)
        try:
            read = contents.read_whole(ID, None, fd, 100)
        finally:
            os.close(fd)
    assert 100 == read.content.size == sum(entry.length or -1 for entry in chunks.decode(read.content.chunks))
    assert read.reader is not None


def test_parts_are_asked_for_many_at_once_and_never_without_end(tmp_path: Path, rng: random.Random) -> None:
    """Those that are read next and those below them; of parts longer than any of ours, as another node may have had them, only
    what is read."""
    entries = [Chunk(DATA, 1000, rng.randbytes(32)) for _ in range(4096)]
    parts: dict[bytes, bytes] = {}
    listed = chunks.fold(list(entries), parts.__setitem__)
    long = chunks.encode([Chunk(PIECE, 1000, rng.randbytes(32)) for _ in range(3000)])
    foreign = chunks.encode([Chunk(PIECE, 3_000_000, chunks.name_of_list(long))] * 2)
    with begun(str(tmp_path / "catalog.db")) as catalog, Local.open(str(tmp_path / "local.db")) as local:
        catalog.write(Changes(), header(2), [*parts.items(), (chunks.name_of_list(long), long)])
        batch = Asked(catalog, local)
        tools = FileContents(batch, KeptPieces(catalog, None), 42, CountedReads()).tools
        assert entries == list(chunks.unfold(listed, tools.piece, tools.ahead))
        asked = [count for count in batch.asked if count]
        # One that stands alone in its list may be read by itself.
        alone = [one for one in (listed, *parts.values()) if len(chunks.pieces_in(one)) == 1]
        assert len(parts) - len(alone) <= sum(asked) <= len(parts), asked
        assert len(asked) < len(parts) / 10, asked
        batch.asked.clear()
        with pytest.raises(WireError, match="a piece of 3,000 entries"):
            list(chunks.unfold(foreign, tools.piece, tools.ahead))
        assert 2 == sum(batch.asked)


def test_a_part_that_was_lost_is_named(reading: Reading, tmp_path: Path) -> None:
    """With where it was looked for."""
    (tmp_path / "file").write_bytes(os.urandom(1000))
    listed = chunks.encode([chunks.Chunk(chunks.PIECE, 1000, b"n" * 32)])
    row = encode_object(ObjectRow(ID, 0o100644, 0, 0, 0, 0, 1000, 0, (), listed))
    with pytest.raises(Damaged, match="neither the catalog nor the vault"):
        chunk_list(reading, tmp_path / "file", row)
