"""A chunk list that grows is the one that ``chunks.fold`` makes at once."""

from __future__ import annotations

import random

import pytest

from agent.chunking.list_builder import Folding
from agent.core import chunks
from agent.core.chunks import DATA, FLAT_LIMIT, HOLE, Chunk


def some_entries(count: int, seed: int) -> list[Chunk]:
    """Data of random names with a hole here and there."""
    rng = random.Random(seed)
    entries: list[Chunk] = []
    while len(entries) < count:
        if entries and entries[-1].kind == DATA and rng.random() < 0.05:
            entries.append(Chunk(HOLE, rng.randrange(1, 1 << 40)))
        else:
            entries.append(Chunk(DATA, rng.randrange(1, 1000), rng.randbytes(32)))
    return entries


@pytest.mark.parametrize("count", [0, 1, FLAT_LIMIT, FLAT_LIMIT + 1, 5000, 300_000])
def test_it_is_the_same_list(count: int) -> None:
    """Also over several levels; every piece is kept."""
    entries = some_entries(count, seed=count)
    expected_pieces: dict[bytes, bytes] = {}
    expected = chunks.fold(list(entries), expected_pieces.__setitem__)
    pieces: dict[bytes, bytes] = {}
    folding = Folding(pieces.__setitem__)
    for entry in entries:
        folding.add(entry)
    assert (expected, expected_pieces) == (folding.finish(), pieces)
