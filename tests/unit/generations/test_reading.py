"""A moment as a tree."""

from __future__ import annotations

import random
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.chunks import DATA, HOLE, Chunk
from agent.core.commit import Changes
from agent.core.errors import Damaged, NotFound
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import ObjectRow, decode_object, encode_object
from agent.generations.lease import leased
from agent.generations.reading import MomentEntry, MomentReader
from agent.store.catalog import leases
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.reader import CatalogReader
from fakes.store_fakes import begun, dir_row, expire, file_row, header, name_row, number


@pytest.fixture
def catalog(tmpfs_dir: Path) -> Iterator[Catalog]:
    """At commit 2 a directory with two names of one file, which is another at commit 3."""
    with begun(str(tmpfs_dir / "catalog.db")) as opened:
        names = (name_row(ROOT, b"dir", 5), name_row(5, b"a", 7), name_row(5, b"b", 7), name_row(5, b"c", 8))
        opened.write(Changes((dir_row(5), file_row(7), file_row(8, size=0), *names)), header(2))
        opened.write(Changes((file_row(7, salt=b"new"),)), header(3))
        yield opened


@pytest.fixture
def reader(catalog: Catalog) -> Iterator[CatalogReader]:
    """A connection of its own."""
    with catalog.reader() as opened:
        yield opened


def nothing(name: bytes) -> bytes:
    """A vault without chunks."""
    raise NotFound("read a chunk", name.hex(), "there are none")


def test_entries_are_those_of_the_moment(reader: CatalogReader) -> None:
    """With the rows of then, by pages, and told whether an object has other names."""
    moment = MomentReader(reader, nothing, number(2))
    id, other = ObjectId(7), ObjectId(8)
    everything = [
        MomentEntry(b"a", id, file_row(7), True),
        MomentEntry(b"b", id, file_row(7), True),
        MomentEntry(b"c", other, file_row(8, size=0), False),
    ]
    assert everything == list(moment.every_entry(ObjectId(5)))
    assert everything[1:2] == moment.entries(ObjectId(5), b"a", 1)
    later = MomentReader(reader, nothing, number(3))
    assert file_row(7, salt=b"new") == later.entries(ObjectId(5))[0].raw


def test_objects_are_found_by_path(reader: CatalogReader) -> None:
    """The root by none; nothing where nothing stands."""
    moment = MomentReader(reader, nothing, number(2))
    assert decode_object(file_row(7)) == moment.at(b"dir/b")
    assert decode_object(dir_row(ROOT)) == moment.at(b"")
    assert None is moment.at(b"dir/none")
    assert None is moment.at(b"dir/a/below")


def test_ranges_fetch_only_their_chunks(reader: CatalogReader, rng: random.Random) -> None:
    """Of a list of many pieces, with holes; the bytes are those of the whole file."""
    store: dict[bytes, bytes] = {}
    fetched: list[bytes] = []

    def read(name: bytes) -> bytes:
        fetched.append(name)
        return store[name]

    entries, whole = [], b""
    for at in range(600):
        data = rng.randbytes(rng.randrange(1, 300))
        if at % 7 == 3:
            entries.append(Chunk(HOLE, len(data)))
            whole += bytes(len(data))
            continue
        store[chunks.name_of(data)] = data
        entries.append(Chunk(DATA, len(data), chunks.name_of(data)))
        whole += data
    content = chunks.fold(entries, lambda name, data: store.update({name: data}))
    row = ObjectRow(ObjectId(9), stat.S_IFREG | 0o644, 0, 0, 1, 0, len(whole), 0, (), content)
    moment = MomentReader(reader, read, number(2))
    for _ in range(200):
        start, length = rng.randrange(len(whole) + 10), rng.randrange(1000)
        assert whole[start : start + length] == moment.bytes_at(row, start, length)
    fetched.clear()
    moment.bytes_at(row, len(whole) // 2, 10)
    assert len(fetched) < 15
    assert list(moment.content(row)) == entries


def test_a_chunk_of_another_length_is_damage(reader: CatalogReader) -> None:
    """It would shift all behind it."""
    content = chunks.encode_one(5, chunks.name_of(b"four"))
    row = decode_object(encode_object(ObjectRow(ObjectId(9), stat.S_IFREG | 0o644, 0, 0, 1, 0, 5, 0, (), content)))
    with pytest.raises(Damaged, match="4 bytes where the row says 5"):
        MomentReader(reader, lambda _: b"four", number(2)).bytes_at(row, 0, 5)


def test_a_lease_is_given_for_what_can_be_read(catalog: Catalog, reader: CatalogReader) -> None:
    """And for nothing else: what is refused leaves none behind."""
    with leased(reader, number(2), "a test"):
        assert [leases.LeasedCommit(number(2), "a test")] == leases.readings(catalog.path)
    expire(catalog, number(3))
    for gone in (number(2), number(9)):
        with pytest.raises(NotFound, match="history has passed it"):
            leased(reader, gone, "a test")
    assert [] == leases.readings(catalog.path)
