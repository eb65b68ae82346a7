"""What a vault keeps for one generation alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.ids import CommitNumber, object_id
from agent.generations.own_bytes import OwnBytes, own_bytes
from agent.store.catalog.kept import KeptCommit
from agent.store.vault.pack import HEADER_SIZE
from fakes.collected_stores import Stores
from fakes.store_fakes import expire, number

FILE, OTHER = object_id(1, 1), object_id(1, 2)


@pytest.fixture
def stores(tmpfs_dir: Path) -> Iterator[Stores]:
    """Empty ones."""
    with Stores(tmpfs_dir) as made:
        yield made


def taken(stores: Stores) -> CommitNumber:
    """The newest commit is kept; its number."""
    stores.catalog.keep([KeptCommit(number(stores.seq), "generation")])
    return number(stores.seq)


def test_what_others_have_too_is_not_its_own(stores: Stores) -> None:
    """Of three versions the middle one has a chunk that neither has; what lies within history has nothing of its own."""
    parts = [os.urandom(1000) for _ in range(4)]
    stores.write(OTHER, stores.put(b"the same in all" * 50))
    stores.write(FILE, stores.put(parts[0], parts[1]))
    first = taken(stores)
    stores.write(FILE, stores.put(parts[0], parts[2], parts[3]))
    middle = taken(stores)
    stores.write(FILE, stores.put(parts[3]))
    last = taken(stores)
    expire(stores.catalog, number(stores.seq))
    with stores.catalog.reader() as reader:
        own = own_bytes(reader, stores.vault, [first, middle, last])
    alone = OwnBytes(1000 + HEADER_SIZE, 1000)
    assert {first: alone, middle: alone, last: OwnBytes(0, 0)} == own
    assert (2000, 0) == (alone.shared(3000), alone.shared(400))


def test_what_would_take_too_long_is_not_counted(stores: Stores) -> None:
    """The newest are counted first."""
    kept: list[CommitNumber] = []
    for _ in range(4):
        stores.write(FILE, stores.put(os.urandom(500)))
        kept.append(taken(stores))
    expire(stores.catalog, number(stores.seq))
    with stores.catalog.reader() as reader:
        own = own_bytes(reader, stores.vault, kept, most=2)
    alone = OwnBytes(500 + HEADER_SIZE, 500)
    assert [None, alone, alone, OwnBytes(0, 0)] == [own[one] for one in kept]
