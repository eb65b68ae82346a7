"""Collection: what no row names goes, what anybody may still name stays, whoever does what meanwhile."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.chunks import DATA, Chunk, name_of
from agent.core.errors import Damaged, WireError
from agent.core.ids import object_id
from agent.store.collection import Collected, CollectionLimits, collect
from agent.store.vault.index import remove_index
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import path_of
from agent.store.vault.vault import Vault
from agent.stream.receiving.presence import Presence
from fakes.collected_stores import LIMITS, NO_ROOM, Stores, list_of
from fakes.idle import goes_on
from fakes.store_fakes import expire, number, some_chunks

FILE = object_id(1, 1)


@pytest.fixture
def stores(tmpfs_dir: Path) -> Iterator[Stores]:
    """Empty ones."""
    made = Stores(tmpfs_dir)
    yield made
    made.close()


def test_what_no_row_names_goes_and_what_history_names_stays(stores: Stores) -> None:
    """Until history is shortened; what came and was never sealed goes at once."""
    old, new, lost = (os.urandom(1000) for _ in range(3))
    stores.write(FILE, stores.put(old))
    stores.write(FILE, stores.put(new))
    stores.put(lost)
    assert 1 == stores.collect().chunks
    assert [True, True, False] == stores.held(old, new, lost)
    expire(stores.catalog, number(stores.seq))
    assert 1 == stores.collect().chunks
    assert [False, True, False] == stores.held(old, new, lost)


def test_what_came_since_stays(stores: Stores) -> None:
    """It is young: its commit may be under way."""
    old, young = os.urandom(1000), os.urandom(1000)
    stores.put(old)
    before = stores.vault.sync()
    stores.put(young)
    stores.vault.sync()
    with stores.catalog.reader() as reader:
        assert 1 == collect(stores.vault, reader, before, lambda: None, NO_ROOM).chunks
    assert [False, True] == stores.held(old, young)


@pytest.mark.parametrize("at_once", [400_000, 500])
def test_what_stands_below_a_list_stays_with_it(stores: Stores, at_once: int) -> None:
    """Level by level, also where names are marked by ranges; and goes with it."""
    raws = [os.urandom(100) for _ in range(2500)]
    stores.write(FILE, stores.put_tree(raws))
    stores.put(b"nobody's" * 100)
    assert 1 == stores.collect(replace(NO_ROOM, names_exactly=at_once)).chunks
    assert [True] * len(raws) == stores.held(*raws)
    stores.remove(FILE)
    assert len(raws) + len(stores.lists) == stores.collect(replace(NO_ROOM, names_exactly=at_once)).chunks
    assert 0 == stores.vault.count()


def test_a_list_that_cannot_be_read_ends_it(stores: Stores) -> None:
    """Nobody can tell what stands below, so nothing goes."""
    stores.write(FILE, stores.put_tree([os.urandom(100) for _ in range(1500)]))
    lost = os.urandom(900)
    stores.put(lost)
    stores.vault.sync()
    place = stores.vault._index.place(next(iter(stores.lists)))
    assert place is not None
    with open(path_of(str(stores.place / "vault" / "packs"), place.pack), "r+b") as pack:
        pack.seek(place.end - 5)
        pack.write(b"xxxxx")
    with pytest.raises(Damaged):
        stores.collect()
    assert [True] == stores.held(lost)


def test_what_a_patch_is_made_of_stays_with_it(stores: Stores) -> None:
    """One in the middle is named, and all below it stay; once it is not, all go together."""
    raws, others = stores.put_chain(4), stores.put_chain(3)
    stores.write(FILE, chunks.encode(list_of(raws[2])))
    assert 2 + len(others) == stores.collect().chunks
    assert [True, True, True, False, False] == stores.held(*raws)
    stores.remove(FILE)
    assert 3 == stores.collect().chunks


class Marked:
    """The catalog, which tells when all its rows were gone through."""

    def __init__(self, stores: Stores) -> None:
        self.done = self.told = False
        self._stores = stores

    def chunks_named(self, batch: int) -> Iterator[list[tuple[int, bytes]]]:
        """See ``CatalogReader``."""
        with self._stores.catalog.reader() as reader:
            yield from reader.chunks_named(batch)
        self.done = True


def test_who_finds_a_doomed_chunk_present_keeps_it(stores: Stores) -> None:
    """Between marking and sweeping: by asking, by pinning, by adding it again; and with it what it is made of."""
    asked, pinned, added, dead = (os.urandom(1000) for _ in range(4))
    stores.put(asked, pinned, added, dead)
    patches = stores.put_chain(2)
    before, marked, found = stores.vault.sync(), Marked(stores), list[bytes]()

    def look() -> None:
        if marked.done and not found:
            found.append(name_of(asked))
            stores.vault.missing([name_of(asked), name_of(patches[-1])])
            stores.vault.pin([name_of(pinned)], "a call")
            stores.vault.unpin("a call")
            stores.put(added)

    assert 1 == collect(stores.vault, marked, before, look, NO_ROOM).chunks
    assert [True, True, True, False] == stores.held(asked, pinned, added, dead)
    assert [True] * 3 == stores.held(*patches)


def test_what_a_call_relies_on_stays_with_all_below(stores: Stores) -> None:
    """Pinned before the collection began, and named by no row yet; once the call has let go, it goes."""
    raws = [os.urandom(100) for _ in range(1500)]
    presence = Presence(stores.vault, goes_on)
    presence.require([stores.put_tree(raws)])
    presence.open_lists()
    assert 0 == stores.collect().chunks
    presence.settle()
    presence.forget()
    assert len(raws) + len(stores.lists) == stores.collect().chunks


def test_what_a_call_remembers_of_whole_lists_ends_with_a_collection(stores: Stores) -> None:
    """It found them whole before; what stands below was taken since."""
    content = stores.put_tree([os.urandom(100) for _ in range(1500)])
    presence = Presence(stores.vault, goes_on)
    presence.require([content])
    presence.open_lists()
    presence.forget()
    stores.collect()
    stores.put_lists()
    presence.require([content])
    with pytest.raises(WireError, match="are not here"):
        presence.open_lists()


def test_packs_in_which_nothing_lies_are_deleted(stores: Stores) -> None:
    """And what they say was forgotten is not found again in an older pack when the index is made anew."""
    first, first_raws = some_chunks(50)
    stores.vault.add(first, first_raws)
    stores.write(FILE, chunks.encode([Chunk(DATA, 1000, first[0].name)]))
    rest, rest_raws = some_chunks(30)
    stores.vault.add(rest, rest_raws)
    stores.vault.forget([first[1].name])
    last, last_raws = some_chunks(170)
    for one, raw in zip(last, last_raws, strict=True):
        stores.vault.add([one], [raw])
    gone = stores.collect()
    names = [one.name for one in (*first, *rest, *last)]
    assert (248, True) == (gone.chunks, gone.packs >= 2)
    end = stores.vault.sync()
    stores.vault.close()
    remove_index(str(stores.place / "vault" / "index.db"))
    stores.vault = Vault.open(str(stores.place / "vault"), end, LIMITS)
    assert (names[1:], []) == (stores.vault.missing(names), stores.vault.damage)


def test_a_pack_whose_chunks_come_into_the_index_meanwhile_stays(tmpfs_dir: Path) -> None:
    """Little came for days, so nothing of it was written there; while the packs are gone through, more comes, and all is."""
    stores = Stores(tmpfs_dir, VaultLimits(pack=60_000, cache=0, flush=150))
    dead, dead_raws = some_chunks(150)
    stores.vault.add(dead, dead_raws)
    stores.vault.sync()
    came, raws = some_chunks(140)
    stores.vault.add(came, raws)
    stores.write(FILE, chunks.encode(list_of(*raws)))
    stores.put(b"in the pack behind it")
    before, marked = stores.vault.sync(), Marked(stores)

    def look() -> None:
        if marked.done and not marked.told:
            marked.told = True
            stores.put(*(os.urandom(500) for _ in range(150)))
            stores.vault.sync()

    assert 151 == collect(stores.vault, marked, before, look, NO_ROOM).chunks
    assert (True, [True] * 140) == (marked.told, stores.held(*raws))
    stores.close()


@pytest.mark.parametrize("deep", [False, True])
def test_what_was_collected_meanwhile_is_no_damage(stores: Stores, deep: bool) -> None:
    """A verify has a page of names in hand while some of them go, and their pack with them."""
    dead, raws = some_chunks(60)
    stores.vault.add(dead, raws)
    live = os.urandom(1000)
    stores.write(FILE, stores.put(live))
    stores.put(b"in the pack behind it")
    stores.vault.sync()
    gone: list[Collected] = []

    def look() -> None:
        if not gone:
            gone.append(stores.collect())

    assert [] == list(stores.vault.check(deep, look))
    assert (61, True) == (gone[0].chunks, gone[0].packs > 0)


def test_random_histories_lose_nothing_that_can_be_read(stores: Stores, seed: int) -> None:
    """Files that change, come back and go, history that is shortened, collections in between, by one range and by several."""
    chance = random.Random(seed)
    raws = [chance.randbytes(chance.randrange(1, 3000)) for _ in range(60)]
    for _ in range(80):
        id = object_id(1, chance.randrange(1, 8))
        act = chance.random()
        if act < 0.75:
            stores.write(id, stores.put(*chance.sample(raws, chance.randrange(1, 4))))
        elif act < 0.85:
            expire(stores.catalog, number(chance.randrange(1, stores.seq + 1)))
        else:
            stores.collect(CollectionLimits(chance.choice((0, 1 << 30)), chance.choice((400_000, 7))))
            stores.must_read()
    expire(stores.catalog, number(stores.seq))
    stores.collect()
    assert stores.must_read() == set(stores.vault.names())
