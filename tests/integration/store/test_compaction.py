"""Compaction: packs of which much is dead are rewritten, whoever reads meanwhile and whatever is lost afterwards."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.chunks import name_of
from agent.core.errors import NotFound
from agent.core.ids import object_id
from agent.store.collection import CollectionLimits, collect, plan_collection
from agent.store.vault.beside import VaultBeside
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import TOMBSTONE, numbers_in, path_of, records
from agent.store.vault.pack_use import CompactionLimits
from fakes.collected_stores import Stores, list_of
from fakes.store_fakes import expire, number

SMALL = VaultLimits(pack=60_000, cache=0, flush=1)
ROOM = CollectionLimits(room=1 << 30, compaction=CompactionLimits(waste=0.0))
FILE = object_id(1, 1)


@pytest.fixture
def stores(tmpfs_dir: Path) -> Iterator[Stores]:
    """Empty ones, with packs of some sixty chunks."""
    made = Stores(tmpfs_dir, SMALL)
    yield made
    made.close()


def half_dead(stores: Stores, files: int = 200) -> list[bytes]:
    """Every pack holds as much that is dead as is live; the bytes of what is live."""
    raws = [os.urandom(900) for _ in range(files)]
    for id, raw in enumerate(raws, 10):
        stores.write(object_id(1, id), stores.put(raw))
        stores.put(os.urandom(900))
    return raws


def packs_of(stores: Stores) -> list[int]:
    """Their numbers."""
    return numbers_in(str(stores.place / "vault" / "packs"))


def size_of(stores: Stores) -> int:
    """Bytes of all packs."""
    return sum(file.stat().st_size for file in (stores.place / "vault" / "packs").iterdir())


def test_packs_of_which_much_is_dead_are_rewritten(stores: Stores) -> None:
    """What is live is read from its new place, and the room comes back."""
    raws = half_dead(stores)
    before, first = size_of(stores), packs_of(stores)
    stores.collect(ROOM)
    assert [True] * len(raws) == stores.held(*raws)
    assert size_of(stores) < 0.6 * before
    assert set(packs_of(stores)).isdisjoint(first[:-1])


def test_the_plan_changes_nothing_and_says_what_comes(stores: Stores) -> None:
    """It is what a collection then does."""
    half_dead(stores)
    before = packs_of(stores)
    with stores.catalog.reader() as reader:
        plan = plan_collection(stores.vault, reader, stores.vault.sync(), lambda: None, ROOM)
    assert before == packs_of(stores)
    done = stores.collect(ROOM)
    assert (len(plan.rewrite), plan.writes) == (done.compacted.packs, done.compacted.written)
    assert 0.4 * (plan.writes + plan.frees) < plan.frees < 0.6 * (plan.writes + plan.frees)


def test_a_lost_index_after_a_compaction_loses_nothing(stores: Stores) -> None:
    """No commit was sealed since, so the catalog does not know how far the packs are durable."""
    raws = half_dead(stores)
    stores.collect(ROOM)
    there = set(stores.vault.names())
    stores.reopened(without_index=True)
    assert ([True] * len(raws), []) == (stores.held(*raws), stores.vault.damage)
    assert there == set(stores.vault.names())


def test_a_lost_index_after_half_a_compaction_loses_nothing(stores: Stores) -> None:
    """It ended as soon as the first pack was gone: what lay in it is behind what the catalog knows to be durable."""
    raws = half_dead(stores, 70)
    first = packs_of(stores)

    def look() -> None:
        if not set(first) <= set(packs_of(stores)):
            raise InterruptedError

    before = stores.vault.sync()
    with stores.catalog.reader() as reader, suppress(InterruptedError):
        collect(stores.vault, reader, before, look, ROOM)
    assert 1 == len(set(first) - set(packs_of(stores)))
    stores.reopened(without_index=True)
    assert [True] * len(raws) == stores.held(*raws)


def test_who_reads_beside_goes_on(stores: Stores) -> None:
    """Another process knows the packs that were there before; it follows every chunk."""
    raws = half_dead(stores)
    stores.vault.write_index()
    with VaultBeside.open_beside(str(stores.place / "vault"), SMALL) as beside:
        assert raws[:10] == [beside.read(name_of(raw)) for raw in raws[:10]]
        assert stores.collect(ROOM).compacted.packs
        assert raws == [beside.read(name_of(raw)) for raw in raws]


def test_chains_are_folded(stores: Stores) -> None:
    """Only the last of a chain is named: it is stored whole, and what it was made of goes."""
    half_dead(stores)
    raws = stores.put_chain(5, b"other" * 100)
    stores.write(FILE, chunks.encode(list_of(raws[-1])))
    for raw in half_dead(stores):
        assert raw
    done = stores.collect(ROOM)
    assert 5 == done.compacted.folded
    assert [False] * 5 + [True] == stores.held(*raws)
    assert [0] == stores.vault.depths([name_of(raws[-1])])


def test_a_chain_from_which_two_part_stays_below(stores: Stores) -> None:
    """What two are made of saves more than it costs; and what a row names stays whatever is made of it."""
    half_dead(stores)
    raws = stores.put_chain(5, b"other" * 100)
    stores.write(FILE, chunks.encode(list_of(raws[2], raws[-1])))
    half_dead(stores)
    stores.collect(ROOM)
    assert [False, False, True, False, False, True] == stores.held(*raws)
    assert [0, 1] == stores.vault.depths([name_of(raws[2]), name_of(raws[-1])])


def test_what_is_damaged_is_told_and_not_moved(stores: Stores) -> None:
    """Its pack stays; all else of it is moved."""
    raws = half_dead(stores)
    stores.vault.write_index()
    place = stores.vault.place_of(name_of(raws[5]))
    assert place is not None
    with open(path_of(str(stores.place / "vault" / "packs"), place.pack), "r+b") as pack:
        pack.seek(place.end - 5)
        pack.write(b"xxxxx")
    done = stores.collect(ROOM)
    assert [name_of(raws[5])] == [name for name, _ in done.compacted.damaged]
    assert place.pack in packs_of(stores)
    assert place == stores.vault.place_of(name_of(raws[5]))
    del raws[5]
    assert [True] * len(raws) == stores.held(*raws)


def test_a_record_whose_header_is_damaged_keeps_its_pack(stores: Stores) -> None:
    """The index knows it, and nobody would find out that it went."""
    raws = half_dead(stores)
    stores.vault.write_index()
    place = stores.vault.place_of(name_of(raws[5]))
    assert place is not None
    with open(path_of(str(stores.place / "vault" / "packs"), place.pack), "r+b") as pack:
        pack.seek(place.offset)
        pack.write(b"xxxxx")
    stores.collect(ROOM)
    assert place.pack in packs_of(stores)


def test_what_is_called_off_in_the_middle_goes_on_the_next_time(stores: Stores) -> None:
    """Whatever step was the last."""
    raws = half_dead(stores)
    for steps in range(2, 60, 5):
        left = iter(range(steps))

        def look(left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise InterruptedError

        before = stores.vault.sync()
        with stores.catalog.reader() as reader, suppress(InterruptedError):
            collect(stores.vault, reader, before, look, ROOM)
        assert [True] * len(raws) == stores.held(*raws)
        stores.reopened(without_index=steps % 2 == 0)
        assert [] == stores.vault.damage
        assert [True] * len(raws) == stores.held(*raws)
    stores.collect(ROOM)
    assert stores.must_read() == set(stores.vault.names())


def test_who_forgets_meanwhile_is_not_undone(stores: Stores) -> None:
    """A chunk that was lost between reading and writing it anew is not brought back by its old record."""
    raws = half_dead(stores)
    lost: list[bytes] = []

    def look() -> None:
        if len(lost) < len(raws):
            lost.append(name_of(raws[len(lost)]))
            stores.vault.lose([lost[-1]])

    with stores.catalog.reader() as reader:
        collect(stores.vault, reader, stores.vault.sync(), look, ROOM)
    stores.reopened(without_index=True)
    assert lost == [name for name in lost if stores.vault.missing([name])]
    with pytest.raises(NotFound):
        stores.vault.read(lost[0])


def test_days_of_change_level_off(stores: Stores, rng: random.Random) -> None:
    """A twentieth of the files changes each day: packs and tombstones stay within bounds, whatever goes and comes."""
    ids = [object_id(1, id) for id in range(10, 110)]
    raws = {id: rng.randbytes(900) for id in ids}
    for id, raw in raws.items():
        stores.write(id, stores.put(raw))
    for _ in range(60):
        for id in rng.sample(ids, 5):
            raws[id] = rng.randbytes(900)
            stores.write(id, stores.put(raws[id]))
        expire(stores.catalog, number(stores.seq))
        stores.collect(ROOM)
    assert size_of(stores) < 1.3 * sum(len(raw) + 56 for raw in raws.values()) + 2 * SMALL.pack
    assert 60 > tombstones(stores)
    stores.reopened(without_index=True)
    assert {name_of(raw) for raw in raws.values()} == set(stores.vault.names())


def tombstones(stores: Stores) -> int:
    """In all packs."""
    count = 0
    for one in packs_of(stores):
        path = path_of(str(stores.place / "vault" / "packs"), one)
        with open(path, "rb") as pack:
            found = records(pack.fileno(), one, 0, os.stat(path).st_size, [])
            count += sum(place.kind == TOMBSTONE for _, place in found)
    return count
