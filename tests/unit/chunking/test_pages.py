"""Which pages changed: patches rebuild what was read, hold little more than the pages, and borders stay where they can."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.chunking.cutter import Cutter
from agent.chunking.old_chunks import Earlier
from agent.chunking.pages import PageReader
from agent.chunking.reader import Content, ContentReader, ReaderTools
from agent.core import chunks
from agent.core.chunks import DATA
from agent.core.ids import ObjectId
from agent.core.patch import PAGE, Runs, head_and_body, literal_bytes, parse, rebuild
from agent.store.pages import Pages

SEED, ID = 42, ObjectId(7)
MIB = 1 << 20


def run(reader: ContentReader) -> Content:
    """Read to the end."""
    slices = reader.slices()
    while True:
        try:
            next(slices)
        except StopIteration as end:
            content: Content = end.value
            return content


class Copy:
    """A file, what capture knows of it, and a peer that gets patches where there are some."""

    def __init__(self, path: Path, pages: Pages, has_pages: bool = True, if_changed: bool = False) -> None:
        self.path, self.pages = path, pages
        self.has_pages, self.if_changed = has_pages, if_changed
        self.chunks: dict[bytes, bytes] = {}
        self.content: Content | None = None
        self.literal = self.whole = 0

    def read(self, committed: bool = True) -> None:
        """Read the file as it is now; ``literal`` and ``whole`` count the bytes that had to travel."""
        was = self.content
        earlier = Earlier(was.chunks, was.size, was.prints) if was is not None else None
        pages = PageReader(self.pages, ID, SEED, was is not None, self.if_changed) if self.has_pages else None
        fd = os.open(self.path, os.O_RDONLY)
        try:
            size = os.fstat(fd).st_size
            reader = ContentReader(fd, size, ReaderTools(SEED, Cutter(), self.chunks.__getitem__), earlier, pages)
            content = run(reader)
        finally:
            os.close(fd)
        self.literal = self.whole = 0
        for name, kind, data in reader.found:
            self._take(name, kind, data, reader.patches.get(name, ()))
        reader.settle(committed)
        if committed:
            self.content = content
            assert self.path.read_bytes() == self._bytes()

    def _take(self, name: bytes, kind: int, data: bytes, runs: Runs) -> None:
        if name in self.chunks:
            return
        if runs:
            patch = parse(*head_and_body(runs, data), len(data))
            assert data == rebuild(patch, self.chunks.__getitem__)
            self.literal += literal_bytes(runs)
        elif kind == DATA:
            self.whole += len(data)
        self.chunks[name] = data

    def _bytes(self) -> bytes:
        assert self.content is not None
        entries = chunks.unfold(self.content.chunks, self.chunks.__getitem__)
        return b"".join(self.chunks[entry.name] if entry.name else bytes(entry.length) for entry in entries)

    def borders(self) -> list[int]:
        """Lengths of its chunks."""
        assert self.content is not None
        return [entry.length for entry in chunks.unfold(self.content.chunks, self.chunks.__getitem__)]


@pytest.fixture
def copy(tmpfs_dir: Path) -> Iterator[Copy]:
    """A file of 4 MiB that was read once."""
    pages = Pages(str(tmpfs_dir / "local.pages.db"))
    pages.begin(b"seed")
    made = Copy(tmpfs_dir / "file", pages)
    made.path.write_bytes(random.Random(1).randbytes(4 * MIB))
    made.read()
    yield made
    pages.close()


def scatter(path: Path, count: int, seed: int) -> None:
    """Overwrite so many pages here and there."""
    chance = random.Random(seed)
    with path.open("r+b") as file:
        for page in chance.sample(range(path.stat().st_size // PAGE), count):
            file.seek(page * PAGE)
            file.write(chance.randbytes(PAGE))


@pytest.mark.parametrize("count", [1, 10, 200])
def test_scattered_pages_travel_alone(copy: Copy, count: int) -> None:
    """Nothing but the pages, version after version, though chunks begin anywhere in a page; borders stay."""
    borders = copy.borders()
    for seed in range(5):
        scatter(copy.path, count, seed)
        copy.read()
        assert (0, borders) == (copy.whole, copy.borders())
        assert count * PAGE == copy.literal


@pytest.mark.parametrize("size", [10, 5000, 200 << 10, 900 << 10, 3 * MIB])
@pytest.mark.parametrize("has_pages", [False, True])
def test_what_was_appended_travels_alone(tmpfs_dir: Path, size: int, has_pages: bool) -> None:
    """To the byte, line after line, whatever the size; nothing has to be known of the pages."""
    chance = random.Random(size)
    path = tmpfs_dir / "log"
    path.write_bytes(chance.randbytes(size))
    copy = Copy(path, Pages(str(tmpfs_dir / "local.pages.db")), has_pages=has_pages)
    copy.read()
    for _ in range(20):
        line = chance.randbytes(chance.choice((1, 100, 3000)))
        with path.open("ab") as log:
            log.write(line)
        copy.read()
        assert len(line) == copy.literal + copy.whole
    copy.pages.close()


def test_a_small_file_has_digests_once_it_changed(tmpfs_dir: Path) -> None:
    """Not for what is read in vain; the change after the first one travels by pages."""
    path = tmpfs_dir / "small"
    path.write_bytes(random.Random(1).randbytes(100 << 10))
    copy = Copy(path, Pages(str(tmpfs_dir / "local.pages.db")), has_pages=False, if_changed=True)
    copy.read()
    copy.has_pages = True
    copy.read()
    assert not copy.pages.knows(ID)
    scatter(path, 1, 1)
    copy.read()
    assert (True, True) == (copy.whole > 0, copy.pages.knows(ID))
    scatter(path, 1, 2)
    copy.read()
    assert (0, PAGE) == (copy.whole, copy.literal)
    copy.pages.close()


def test_digests_are_made_again_when_they_are_lost(copy: Copy, tmpfs_dir: Path) -> None:
    """The first change then travels whole, the next one in pages, also in chunks that did not change meanwhile."""
    copy.pages.close()
    os.unlink(tmpfs_dir / "local.pages.db")
    copy.pages = Pages(str(tmpfs_dir / "local.pages.db"))
    scatter(copy.path, 3, 1)
    copy.read()
    assert (True, 0) == (copy.whole > 0, copy.literal)
    scatter(copy.path, 10, 2)
    copy.read()
    assert (0, True) == (copy.whole, copy.literal > 0)
    copy.pages.close()


def test_a_damaged_file_of_digests_is_begun_anew(copy: Copy, tmpfs_dir: Path) -> None:
    """Nothing fails; what changes travels whole once."""
    copy.pages.close()
    for name in os.listdir(tmpfs_dir):
        if name.startswith("local.pages"):
            os.unlink(tmpfs_dir / name)
    (tmpfs_dir / "local.pages.db").write_bytes(b"no database" * 1000)
    for seed, whole in ((1, True), (2, False), (3, False)):
        scatter(copy.path, 3, seed)
        copy.read()
        assert whole == (copy.whole > 0)


def test_digests_of_another_seed_are_forgotten(copy: Copy) -> None:
    """They would say that every page changed."""
    copy.pages.begin(b"another")
    assert not copy.pages.knows(ID)


def test_what_was_read_in_vain_leaves_the_digests_of_the_version_that_counts(copy: Copy) -> None:
    """A file that changes while it is read is read again, and then still travels in pages."""
    for seed in range(3):
        scatter(copy.path, 5, seed)
        held = dict(copy.chunks)
        copy.read(committed=False)
        copy.chunks = held
    copy.read()
    assert (0, True) == (copy.whole, copy.literal <= 15 * PAGE)


def test_what_is_no_longer_in_the_file_has_no_digests(copy: Copy, tmpfs_dir: Path) -> None:
    """After changes, after shrinking, and when the object is gone: at most one row a chunk."""
    for seed in range(3):
        scatter(copy.path, 50, seed)
        copy.read()
    os.truncate(copy.path, 2 * MIB)
    copy.read()
    copy.pages.close()
    with closing(sqlite3.connect(tmpfs_dir / "local.pages.db")) as opened:
        count, size = opened.execute("select count(*), sum(length(digests)) from page").fetchone()
    assert (len(copy.borders()), True) == (count, size <= 8 * (2 * MIB // PAGE) + 10 * count)
    copy.pages.forget([ID])
    assert not copy.pages.knows(ID)


def test_what_is_appended_travels_alone(copy: Copy) -> None:
    """The last chunk of a log is cut anew at each append, of what stood there and what came."""
    for seed in range(10):
        with copy.path.open("ab") as file:
            file.write(random.Random(seed).randbytes(10_000))
        copy.read()
        assert copy.whole + copy.literal <= 10_000 + PAGE


def test_a_chunk_that_is_cut_anew_is_made_of_several(copy: Copy) -> None:
    """Bytes were inserted and as many removed further on: chunks between are found by their names, and of those around, what
    stands where it stood does not travel again."""
    data = copy.path.read_bytes()
    at, until = MIB + 100, 3 * MIB
    copy.path.write_bytes(data[:at] + b"inserted" + data[at : until - 8] + data[until:])
    copy.read()
    assert copy.literal > 0
    assert copy.whole + copy.literal < MIB


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_edits_are_rebuilt(copy: Copy, data: st.DataObject) -> None:
    """Overwriting, inserting, removing, appending, truncating, punching: the peer's copy equals the file (``Copy.read``)."""
    content = bytearray(copy.path.read_bytes()[: 6 * MIB])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 1000)) * len(content) // 1000 + data.draw(st.integers(0, 3))
        length = data.draw(st.sampled_from([1, 100, PAGE, 5 * PAGE, 100_000]))
        fresh = random.Random(data.draw(st.integers(0, 1000))).randbytes(length)
        kind = data.draw(st.sampled_from(["write", "insert", "remove", "zero"]))
        if kind == "insert":
            content[at:at] = fresh
        elif kind == "remove":
            del content[at : at + length]
        else:
            content[at : at + length] = fresh if kind == "write" else bytes(length)
    copy.path.write_bytes(content)
    copy.read()
