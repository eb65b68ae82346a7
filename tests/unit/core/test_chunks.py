"""Chunk lists: canonical, foldable to any length, and never believed when they lie."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import chunks
from agent.core.chunks import DATA, HOLE, PIECE, Chunk
from agent.core.errors import WireError


def _entries(count: int, seed: int) -> list[Chunk]:
    generator = random.Random(seed)
    return [Chunk(DATA, generator.randint(1, chunks.MAX_CHUNK), generator.randbytes(32)) for _ in range(count)]


@given(st.integers(0, 5000), st.integers())
def test_folding_and_unfolding_is_the_identity(count: int, seed: int) -> None:
    """Any number of entries comes back in order, and the list covers the file."""
    entries = _entries(count, seed)
    pieces: dict[bytes, bytes] = {}
    folded = chunks.fold(entries, pieces.__setitem__)
    assert entries == list(chunks.unfold(folded, pieces.__getitem__))
    assert sum(entry.length for entry in entries) == chunks.length_of(folded)
    assert all(name == chunks.name_of_list(data) for name, data in pieces.items())
    assert len(chunks.decode(folded)) <= chunks.FLAT_LIMIT


def test_one_change_in_a_huge_list_costs_few_pieces() -> None:
    """A version of 200,000 chunks with one changed shares all but a handful of pieces with the one before."""
    entries = _entries(200_000, 7)
    before: dict[bytes, bytes] = {}
    chunks.fold(entries, before.__setitem__)
    entries[100_000] = Chunk(DATA, 5, b"\1" * 32)
    after: dict[bytes, bytes] = {}
    chunks.fold(entries, after.__setitem__)
    told = sum(len(after[name]) for name in after.keys() - before.keys())
    assert told <= 6_000


@pytest.mark.parametrize("count", [33, 100, 400, 1_000, 4_000, 16_000])
def test_a_change_costs_at_most_two_kilobytes_of_lists(count: int) -> None:
    """Its row's list and the parts that are new, on average over places in a file of 2 MiB to 4 GiB."""
    rng, before, told = random.Random(count), dict[bytes, bytes](), 0
    entries = _entries(count, 7)
    chunks.fold(entries, before.__setitem__)
    for _ in range(10):
        at, after = rng.randrange(count), dict[bytes, bytes]()
        row = chunks.fold([*entries[:at], Chunk(DATA, 5, rng.randbytes(32)), *entries[at + 1 :]], after.__setitem__)
        told += len(row) + sum(len(after[name]) for name in after.keys() - before.keys())
    assert told / 10 <= 2048


def test_data_cannot_pass_for_a_list() -> None:
    """The same bytes have different names as data and as a list."""
    assert chunks.name_of(b"abc") != chunks.name_of_list(b"abc")


@pytest.mark.parametrize(
    "data",
    [
        b"\x05",
        b"\x00\x00",
        chunks.encode([Chunk(DATA, chunks.MAX_CHUNK + 1, bytes(32))]),
        chunks.encode([Chunk(HOLE, 4096), Chunk(HOLE, 4096)]),
        chunks.encode([Chunk(HOLE, 0)]),
        chunks.encode([Chunk(HOLE, 1 << 63)]),
    ],
)
def test_malformed_lists_are_refused(data: bytes) -> None:
    """Unknown kinds, cut entries, oversized chunks, split holes and empty runs are refused."""
    with pytest.raises(WireError):
        chunks.decode(data)


def test_a_piece_that_lies_about_its_length_is_refused() -> None:
    """A piece must cover exactly the bytes that its entry claims."""
    inner = chunks.encode([Chunk(DATA, 10, bytes(32))])
    outer = chunks.encode([Chunk(PIECE, 11, chunks.name_of_list(inner))])
    with pytest.raises(WireError):
        list(chunks.unfold(outer, lambda _: inner))


def test_the_only_chunk_of_a_list_is_told_of_such_a_list_alone() -> None:
    """The way back of ``encode_one``."""
    others = [[], [Chunk(HOLE, 5)], [Chunk(PIECE, 5, b"b" * 32)], [Chunk(DATA, 5, b"a" * 32), Chunk(HOLE, 5)]]
    assert (5, b"a" * 32) == chunks.decode_one(chunks.encode_one(5, b"a" * 32))
    assert [None] * 4 == [chunks.decode_one(chunks.encode(other)) for other in others]


def test_names_are_listed_in_order() -> None:
    """Data and pieces are named, holes are not; a single chunk takes the short way."""
    one = chunks.encode_one(5, b"a" * 32)
    assert [(DATA, b"a" * 32)] == chunks.names_in(one)
    many = chunks.encode([Chunk(HOLE, 5), Chunk(DATA, 5, b"a" * 32), Chunk(PIECE, 5, b"b" * 32)])
    assert [(DATA, b"a" * 32), (PIECE, b"b" * 32)] == chunks.names_in(many)


def test_of_a_list_that_is_longer_than_any_of_ours_nothing_is_asked_together() -> None:
    """A peer may name tens of thousands of parts in one row: it is read part by part."""
    kept: dict[bytes, bytes] = {}
    part = chunks.encode([Chunk(DATA, 1, b"a" * 32)])
    name = chunks.name_of_list(part)
    kept[name] = part
    told: list[int] = []
    for count in (2, chunks.PIECE_LIMIT, chunks.PIECE_LIMIT + 1, 33_000):
        listed = chunks.encode([Chunk(PIECE, 1, name)] * count)
        assert count == len(list(chunks.unfold(listed, kept.__getitem__, lambda names: told.append(len(names)))))
    assert [2, chunks.PIECE_LIMIT] == told
