"""Content of an open file of a mount: ranges, holes, and chunks that are fetched ahead."""

from __future__ import annotations

import os
import random
import stat
import threading
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.chunks import DATA, HOLE, Chunk
from agent.core.commit import Changes
from agent.core.errors import Damaged, NotFound
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import ObjectRow, encode_object
from agent.generations.mounting.attributes import attributes_of
from agent.generations.mounting.chunk_cache import CacheLimits, ChunkCache
from agent.generations.mounting.content import FileContent, ReadAhead
from agent.generations.mounting.nodes import RowContent
from agent.generations.reading import MomentReader
from fakes.eventually import eventually
from fakes.store_fakes import begun, header, name_row, number


class Store:
    """Chunks by name; says which were read, by whom."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}
        self.read_names: list[bytes] = []
        self._lock = threading.Lock()

    def put(self, data: bytes) -> Chunk:
        """A chunk that is held."""
        name = chunks.name_of(data)
        self.held[name] = data
        return Chunk(DATA, len(data), name)

    def read(self, name: bytes) -> bytes:
        """As a vault's."""
        with self._lock:
            self.read_names.append(name)
        if name not in self.held:
            raise NotFound("read a chunk", name.hex(), "it is lost")
        return self.held[name]


def a_file(store: Store, chance: random.Random, count: int) -> tuple[ObjectRow, bytes]:
    """A file of so many chunks and holes, in a long list if they are many."""
    entries, content = [], b""
    for at in range(count):
        if at % 5 == 4:
            entries.append(Chunk(HOLE, 3000))
            content += bytes(3000)
        else:
            data = chance.randbytes(chance.randrange(500, 1500))
            entries.append(store.put(data))
            content += data

    def keep(name: bytes, data: bytes) -> None:
        store.held[name] = data

    listed = chunks.fold(entries, keep)
    return ObjectRow(ObjectId(2), stat.S_IFREG | 0o644, 0, 0, 7, 0, len(content), 0, (), listed), content


def moment_with(tmp_path: Path, row: ObjectRow, cache: ChunkCache) -> MomentReader:
    """A moment that has the file."""
    catalog = begun(str(tmp_path / "catalog.db"))
    catalog.write(Changes((encode_object(row), name_row(ROOT, b"f", row.id))), header(2))
    reader = catalog.reader()
    catalog.close()
    return MomentReader(reader, cache.get, number(2))


@pytest.mark.parametrize("count", [1, 20, 400])
def test_any_range_is_what_the_file_has(tmp_path: Path, seed: int, count: int) -> None:
    """Read on or jumped to, over holes, the ends of chunks and of the file, with little room for chunks."""
    chance, store = random.Random(seed), Store()
    row, whole = a_file(store, chance, count)
    cache = ChunkCache(store.read, CacheLimits(kept=20_000, batch=4000))
    moment = moment_with(tmp_path, row, cache)
    content = FileContent(RowContent(moment, row), cache, ReadAhead(window=30_000, first=2000, most=16_000, apart=1000))
    try:
        at = 0
        for _ in range(300):
            length = chance.randrange(1, 5000)
            at = chance.randrange(len(whole) + 2) if chance.random() < 0.2 else at
            assert whole[at : at + length] == content.read(at, length)
            at = min(at + length, len(whole)) if at + length < len(whole) else 0
        assert cache.size <= 20_000
    finally:
        cache.close()
        moment.catalog.close()


def test_a_range_reads_only_its_chunks(tmp_path: Path, seed: int) -> None:
    """One who jumps gets what he asks for, and nothing is fetched ahead for him; who reads on has it fetched before he asks."""
    chance, store = random.Random(seed), Store()
    row, whole = a_file(store, chance, 30)
    cache = ChunkCache(store.read)
    moment = moment_with(tmp_path, row, cache)
    limits = ReadAhead(first=10_000, most=10_000, apart=100)
    try:
        FileContent(RowContent(moment, row), cache, limits).read(len(whole) // 2, 10)
        assert 1 >= len(store.read_names)
        content = FileContent(RowContent(moment, row), cache, limits)
        content.read(0, 1000)
        content.read(1000, 1000)
        eventually(lambda: len(set(store.read_names)) > 5)
        assert len(set(store.read_names)) < 24
    finally:
        cache.close()
        moment.catalog.close()


def test_a_lost_chunk_hurts_only_who_reads_it(tmp_path: Path, seed: int) -> None:
    """Fetched ahead or not, all else is read; one of another length is damage."""
    store = Store()
    one, lost, other = store.put(b"a" * 100), store.put(b"b" * 100), store.put(b"c" * 100)
    del store.held[lost.name]
    row = ObjectRow(ObjectId(2), stat.S_IFREG, 0, 0, 7, 0, 300, 0, (), chunks.encode([one, lost, other]))
    cache = ChunkCache(store.read)
    moment = moment_with(tmp_path, row, cache)
    content = FileContent(RowContent(moment, row), cache, ReadAhead(first=100, most=300))
    try:
        assert b"a" * 100 == content.read(0, 100)
        with pytest.raises(Damaged, match="a chunk of it is lost"):
            content.read(100, 100)
        assert b"c" * 100 == content.read(200, 100)
        store.held[lost.name] = b"short"
        with pytest.raises(Damaged, match="5 bytes where the row says 100"):
            content.read(100, 100)
    finally:
        cache.close()
        moment.catalog.close()


def test_holes_take_no_blocks(seed: int) -> None:
    """As many blocks as there is data, in pages; nothing is read for a short list."""
    store = Store()
    entries = [store.put(os.urandom(5000)), Chunk(HOLE, 1 << 20), store.put(os.urandom(100))]
    row = ObjectRow(ObjectId(2), stat.S_IFREG, 0, 0, 7, 0, (1 << 20) + 5100, 0, (), chunks.encode(entries))
    found = attributes_of(row, number(2), 1, store.read)
    assert (16, (1 << 20) + 5100, []) == (found["st_blocks"], found["st_size"], store.read_names)
    long, content = a_file(store, random.Random(seed), 60)
    data = len(content) - 12 * 3000
    assert -(-data // 4096) * 8 == attributes_of(long, number(2), 1, store.read)["st_blocks"]


def test_what_waits_behind_others_is_read_by_who_needs_it() -> None:
    """A job that has not begun is not waited for; what he read is not read again by it."""
    store, began, go_on = Store(), threading.Event(), threading.Event()
    first, second = store.put(b"first"), store.put(b"second")

    def read(name: bytes) -> bytes:
        if name == first.name:
            began.set()
            assert go_on.wait(60)
        return store.read(name)

    cache = ChunkCache(read, CacheLimits(workers=1))
    try:
        assert (1, 1) == (cache.fetch_ahead([first.name], 5), cache.fetch_ahead([second.name], 6))
        assert began.wait(60)
        assert b"second" == cache.get(second.name)
        go_on.set()
        assert b"first" == cache.get(first.name)
    finally:
        go_on.set()
        cache.close()
    assert [second.name, first.name] == store.read_names


def test_readers_share_what_is_fetched_ahead() -> None:
    """Each has a quarter of what is kept, divided by how many read."""
    cache = ChunkCache(lambda name: name, CacheLimits(kept=80))
    shares = [cache.share]
    for _ in range(4):
        cache.begin()
    shares.append(cache.share)
    cache.end()
    cache.end()
    shares.append(cache.share)
    cache.close()
    assert [20, 5, 10] == shares
