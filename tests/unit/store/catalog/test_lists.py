"""Parts of chunk lists in a catalog: as long as something names them."""

from __future__ import annotations

import random
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.chunks import DATA, Chunk
from agent.core.commit import Changes
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import ObjectRow, encode_object, name_key, object_key
from agent.store.catalog.catalog import Catalog
from fakes.store_fakes import begun, expire, header, name_row, number

FILE, OTHER = ObjectId(77), ObjectId(78)
COUNT = 500


@pytest.fixture
def catalog(tmpfs_dir: Path) -> Iterator[Catalog]:
    """A catalog whose first commit holds the root."""
    with begun(str(tmpfs_dir / "catalog.db")) as it:
        yield it


class Versions:
    """A file of hundreds of chunks, one of which changes in each version."""

    def __init__(self) -> None:
        chance = random.Random(1)
        self.chance = chance
        self.entries = [Chunk(DATA, 1000, chance.randbytes(32)) for _ in range(COUNT)]

    def next(self, id: ObjectId = FILE) -> tuple[bytes, dict[bytes, bytes]]:
        """The row of another version, and all parts of its list."""
        self.entries[self.chance.randrange(COUNT)] = Chunk(DATA, 1000, self.chance.randbytes(32))
        return self.same(id)

    def same(self, id: ObjectId, mode: int = 0o644) -> tuple[bytes, dict[bytes, bytes]]:
        pieces: dict[bytes, bytes] = {}
        content = chunks.fold(list(self.entries), pieces.__setitem__)
        row = ObjectRow(id, stat.S_IFREG | mode, 0, 0, 0, size=1000 * COUNT, content=content)
        return encode_object(row), pieces


def held(catalog: Catalog, pieces: dict[bytes, bytes]) -> int:
    """How many of these parts the catalog has."""
    return sum(catalog.piece(name) is not None for name in pieces)


def test_parts_go_with_the_last_moment_that_names_them(catalog: Catalog) -> None:
    """Twenty versions; when all but the newest are pruned its parts are there, and no others."""
    versions, every, pieces = Versions(), dict[bytes, bytes](), dict[bytes, bytes]()
    for seq in range(2, 22):
        row, pieces = versions.next()
        new = [(name, data) for name, data in pieces.items() if name not in every]
        catalog.write(Changes((row,)), header(seq), new)
        every |= pieces
    assert len(every) == held(catalog, every)
    expire(catalog, number(21), slice_rows=7)
    assert (len(pieces), len(pieces)) == (held(catalog, pieces), held(catalog, every))


def test_a_part_that_one_list_names_many_times_goes_with_the_list(catalog: Catalog) -> None:
    """Content that repeats: one part stands in a list again and again, and others but once. All of it goes when the file does,
    nothing before."""
    chance = random.Random(2)
    stretch = [Chunk(DATA, 1000, chance.randbytes(32)) for _ in range(60)]
    pieces: dict[bytes, bytes] = {}
    content = chunks.fold(
        stretch * 20 + [Chunk(DATA, 1000, chance.randbytes(32)) for _ in range(50)], pieces.__setitem__
    )
    named = [
        name for data in (content, *pieces.values()) for kind, name in chunks.names_in(data) if kind == chunks.PIECE
    ]
    assert {1} < {named.count(name) for name in named}
    row = encode_object(ObjectRow(FILE, stat.S_IFREG, 0, 0, 0, size=chunks.length_of(content), content=content))
    other = encode_object(ObjectRow(OTHER, stat.S_IFREG, 0, 0, 0, size=chunks.length_of(content), content=content))
    catalog.write(
        Changes((row, other, name_row(ROOT, b"a", FILE), name_row(ROOT, b"b", OTHER))), header(2), list(pieces.items())
    )
    catalog.write(Changes((), (object_key(OTHER), name_key(ROOT, b"b"))), header(3))
    expire(catalog, number(3), slice_rows=7)
    assert len(pieces) == held(catalog, pieces)
    catalog.write(Changes((), (object_key(FILE), name_key(ROOT, b"a"))), header(4))
    expire(catalog, number(4), slice_rows=7)
    assert 0 == held(catalog, pieces)


def test_parts_beside_data_are_named_too(catalog: Catalog) -> None:
    """No list of ours has both, but one that is taken up from another node may."""
    chance = random.Random(3)
    data = [Chunk(DATA, 1000, chance.randbytes(32)) for _ in range(3)]
    lowest = chunks.encode(data)
    below = chunks.encode([data[0], Chunk(chunks.PIECE, 3000, chunks.name_of_list(lowest))])
    content = chunks.encode([*data, Chunk(chunks.PIECE, 4000, chunks.name_of_list(below))])
    pieces = {chunks.name_of_list(part): part for part in (lowest, below)}
    row = encode_object(ObjectRow(FILE, stat.S_IFREG, 0, 0, 0, size=7000, content=content))
    catalog.write(Changes((row, name_row(ROOT, b"a", FILE))), header(2), list(pieces.items()))
    catalog.write(Changes(), header(3))
    expire(catalog, number(3), slice_rows=7)
    assert 2 == held(catalog, pieces)
    catalog.write(Changes((), (object_key(FILE), name_key(ROOT, b"a"))), header(4))
    expire(catalog, number(4), slice_rows=7)
    assert 0 == held(catalog, pieces)


@pytest.mark.parametrize("target", [b"x" * 200, b"\x02" * 200], ids=["as usual", "as a list begins"])
def test_where_a_symbolic_link_leads_is_no_list(catalog: Catalog, target: bytes) -> None:
    """Whatever it looks like."""
    row = encode_object(ObjectRow(FILE, stat.S_IFLNK | 0o777, 0, 0, 0, size=len(target), content=target))
    catalog.write(Changes((row, name_row(ROOT, b"a", FILE))), header(2))
    catalog.write(Changes((), (object_key(FILE), name_key(ROOT, b"a"))), header(3))
    expire(catalog, number(3), slice_rows=7)


def test_parts_of_two_files_stay_for_the_other(catalog: Catalog) -> None:
    """A copy goes, and so does a version that differs in metadata only; then the file, and with it everything."""
    versions = Versions()
    row, pieces = versions.next()
    copy, _ = versions.same(OTHER)
    again, _ = versions.same(FILE, 0o600)
    catalog.write(Changes((row, copy, name_row(ROOT, b"a", FILE))), header(2), list(pieces.items()))
    catalog.write(Changes((again,), (object_key(OTHER),)), header(3))
    expire(catalog, number(3), slice_rows=7)
    assert len(pieces) == held(catalog, pieces)
    catalog.write(Changes((), (object_key(FILE), name_key(ROOT, b"a"))), header(4))
    expire(catalog, number(4), slice_rows=7)
    assert 0 == held(catalog, pieces)


def test_parts_that_nobody_named_go(catalog: Catalog) -> None:
    """Of a version that was read and not committed."""
    _, pieces = Versions().next()
    catalog.write(Changes(), header(2), list(pieces.items()))
    expire(catalog, number(2), slice_rows=7)
    assert 0 == held(catalog, pieces)
