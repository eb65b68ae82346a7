"""One open file → chunk list, new chunks, prints."""

from __future__ import annotations

import gc
import os
import random
import weakref
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.chunking.cutter import FINE, Cutter
from agent.chunking.old_chunks import PRINT, Earlier
from agent.chunking.reader import (
    SMALL,
    WHOLE,
    Content,
    ContentReader,
    OneChunk,
    ReaderTools,
    one_chunk_again,
    read_at_once,
)
from agent.core import chunks
from agent.core.chunks import DATA, FLAT_LIMIT, HOLE, PIECE

SEED = 42
KIB, MIB = 1 << 10, 1 << 20


class Copy:
    """What a peer holds: chunks by name."""

    def __init__(self) -> None:
        self.chunks: dict[bytes, bytes] = {}
        self.new = self.told = 0

    def read(self, path: Path, earlier: Earlier | None = None, size: int | None = None) -> Content:
        """Read a file as capture does and keep what is new."""
        fd = os.open(path, os.O_RDONLY)
        try:
            reader = ContentReader(
                fd,
                os.fstat(fd).st_size if size is None else size,
                ReaderTools(SEED, Cutter(), self.chunks.__getitem__),
                earlier,
            )
            content = self._run(reader)
        finally:
            os.close(fd)
        return content

    def _run(self, reader: ContentReader) -> Content:
        slices = reader.slices()
        self.new = self.told = 0
        while True:
            try:
                next(slices)
            except StopIteration as end:
                self._keep(reader)
                content: Content = end.value
                return content
            self._keep(reader)

    def _keep(self, reader: ContentReader) -> None:
        for name, kind, data in reader.found:
            self.new += kind == DATA
            self.told += kind == PIECE
            self.chunks[name] = data
        reader.found.clear()

    def bytes_of(self, content: Content) -> bytes:
        """The file that a chunk list describes."""
        return b"".join(
            bytes(entry.length) if entry.kind == HOLE else self.chunks[entry.name]
            for entry in chunks.unfold(content.chunks, self.chunks.__getitem__)
        )


def earlier(content: Content) -> Earlier:
    """A content as the version that a later read compares with."""
    return Earlier(content.chunks, content.size, content.prints)


@pytest.fixture
def file(tmpfs_dir: Path) -> Path:
    """A place for one file."""
    return tmpfs_dir / "file"


def test_unchanged_is_not_hashed_again(file: Path) -> None:
    """Nothing is new, list and prints are the same."""
    file.write_bytes(random.Random(1).randbytes(9 * MIB))
    copy = Copy()
    first = copy.read(file)
    again = copy.read(file, earlier(first))
    assert (0, first) == (copy.new, again)
    assert len(first.prints) == PRINT * (1 + sum(1 for _ in chunks.unfold(first.chunks, copy.chunks.__getitem__)))


def test_parts_of_a_list_that_did_not_change_are_not_told_again(file: Path) -> None:
    """A page of a file of a thousand chunks: its chunk, and the parts of the list that lead to it."""
    file.write_bytes(random.Random(1).randbytes(64 * MIB))
    copy = Copy()
    first = copy.read(file)
    with file.open("r+b") as opened:
        opened.seek(33 * MIB)
        opened.write(b"page" * KIB)
    second = copy.read(file, earlier(first))
    assert second.chunks != first.chunks
    assert 1 <= copy.told <= 10
    assert file.read_bytes() == copy.bytes_of(second)


def test_new_small_files_need_no_parts() -> None:
    """What is read at once is cut into no more chunks than a flat list holds."""
    assert SMALL <= FLAT_LIMIT * FINE.least


def test_prints_of_another_version_are_not_believed(file: Path) -> None:
    """After a crash local facts may lag behind the catalog: a reverted file must not get the newer version's names."""
    old, new = random.Random(1).randbytes(MIB), random.Random(2).randbytes(MIB)
    copy = Copy()
    file.write_bytes(old)
    first = copy.read(file)
    file.write_bytes(new)
    second = copy.read(file)
    file.write_bytes(old)
    third = copy.read(file, Earlier(second.chunks, second.size, first.prints))
    assert old == copy.bytes_of(third)


def test_without_prints_names_decide(file: Path) -> None:
    """Lost local facts: everything is hashed, and what is the same is not new."""
    file.write_bytes(random.Random(1).randbytes(3 * MIB))
    copy = Copy()
    first = copy.read(file)
    again = copy.read(file, Earlier(first.chunks, first.size, b""))
    assert (0, first) == (copy.new, again)


def test_a_rewritten_file_of_the_same_size_is_cut_anew(file: Path) -> None:
    """After some differing neighbours the old borders are left, so that copies are found."""
    file.write_bytes(random.Random(1).randbytes(8 * MIB))
    copy = Copy()
    first = copy.read(file)
    file.write_bytes(random.Random(2).randbytes(8 * MIB))
    fresh = Copy().read(file)
    rewritten = copy.read(file, earlier(first))
    shared = set(chunks.names_in(fresh.chunks)) & set(chunks.names_in(rewritten.chunks))
    assert len(shared) > len(chunks.names_in(fresh.chunks)) // 2


def test_a_file_that_ends_before_its_size(file: Path) -> None:
    """Truncated while it is read: what was read is what is named."""
    data = random.Random(1).randbytes(700 * KIB)
    file.write_bytes(data)
    copy = Copy()
    content = copy.read(file, size=2 * MIB)
    assert content.size == chunks.length_of(content.chunks)
    assert copy.bytes_of(content)[: len(data)] == data


def test_a_file_that_grows_is_read_to_its_size(file: Path) -> None:
    """Never further, so a growing file ends."""
    data = random.Random(1).randbytes(700 * KIB)
    file.write_bytes(data)
    copy = Copy()
    content = copy.read(file, size=500 * KIB)
    assert (500 * KIB, data[: 500 * KIB]) == (content.size, copy.bytes_of(content))


@pytest.mark.parametrize("size", [1, 100, WHOLE, WHOLE + 1, 100 * KIB, 500 * KIB])
def test_at_once_or_in_slices_is_the_same(file: Path, size: int) -> None:
    """The quick way for small new files ends in the same list, chunks and prints."""
    data = random.Random(size).randbytes(size)
    file.write_bytes(data)
    copy = Copy()
    in_slices = copy.read(file)
    at_once, found = read_at_once(data, SEED, Cutter())
    assert in_slices == at_once
    assert {name: chunk for name, _, chunk in found} == copy.chunks


def outcome(reader: ContentReader) -> OneChunk:
    """What a reader finds in a file that is one chunk."""
    slices = reader.slices()
    try:
        next(slices)
    except StopIteration as end:
        runs = [reader.patches.get(name, ()) for name, _, _ in reader.found]
        return OneChunk(end.value, reader.found, runs[0] if runs else ())
    raise AssertionError("it was to be read in one step")


@pytest.mark.parametrize("size", [1, 100, WHOLE - 1, WHOLE])
@pytest.mark.parametrize("kept", [1, 50, WHOLE - 1, WHOLE])
@pytest.mark.parametrize("is_other", [False, True])
def test_one_chunk_again_is_what_a_reader_finds(file: Path, size: int, kept: int, is_other: bool) -> None:
    """The quick way for small known files: the list, what is new, and how it is made of the version before."""
    before = random.Random(1).randbytes(kept)
    now = random.Random(2).randbytes(size) if is_other else random.Random(1).randbytes(size)
    was, _ = read_at_once(before, SEED, Cutter())
    file.write_bytes(now)
    with file.open("rb") as opened:
        tools = ReaderTools(SEED, Cutter(), Copy().chunks.__getitem__)
        expected = outcome(ContentReader(opened.fileno(), size, tools, earlier(was)))
    assert expected == one_chunk_again(now, was.chunks)


def test_what_was_not_one_chunk_is_left_to_a_reader() -> None:
    """A part of its old list may stand there still."""
    two = chunks.encode([chunks.Chunk(DATA, 5, b"a" * 32), chunks.Chunk(HOLE, 5)])
    assert [None] * 2 == [one_chunk_again(b"0123456789", was) for was in (two, b"")]


def a_step(path: Path, rng: random.Random) -> None:
    """Change a file somehow."""
    size = os.stat(path).st_size
    with open(path, "r+b") as file:
        what = rng.randrange(6)
        at = rng.randrange(size + 1)
        if what == 0:
            file.seek(at)
            file.write(rng.randbytes(rng.randrange(1, 100_000)))
        elif what == 1:
            data = file.read()
            file.seek(at)
            file.write(rng.randbytes(rng.randrange(1, 300)) + data[at:])
        elif what == 2:
            file.truncate(at)
        elif what == 3:
            file.truncate(size + rng.randrange(300_000))
        elif what == 4:
            file.seek(size + rng.randrange(500_000))
            file.write(rng.randbytes(5000))
        else:
            file.seek(0, os.SEEK_END)
            file.write(rng.randbytes(rng.randrange(1, 50_000)))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_any_changes_are_read_right(file: Path, seed: int) -> None:
    """Writes, insertions, truncations, holes: after each step the list describes the file, holes and all."""
    rng = random.Random(seed)
    file.write_bytes(rng.randbytes(rng.randrange(2 * MIB)))
    copy = Copy()
    content = copy.read(file)
    for _ in range(6):
        a_step(file, rng)
        content = copy.read(file, earlier(content))
        assert file.read_bytes() == copy.bytes_of(content)
        assert os.stat(file).st_size == content.size


def test_a_reader_that_has_read_is_gone_at_once(tmp_path: Path) -> None:
    """It is in no circle: its window of 4 MiB must not wait until garbage is looked for."""
    (tmp_path / "file").write_bytes(random.Random(1).randbytes(MIB))
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    gc.collect()
    gc.disable()
    try:
        reader = ContentReader(fd, MIB, ReaderTools(SEED, Cutter(), lambda name: name), None)
        assert [] == list(reader.slices())
        seen = weakref.ref(reader)
        del reader
        assert seen() is None
    finally:
        gc.enable()
        os.close(fd)
