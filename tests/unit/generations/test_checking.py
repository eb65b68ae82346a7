"""A look at chunks: which are read, what counts as damage, and what does not."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.chunks import name_of
from agent.core.commit import Changes
from agent.core.errors import StoreFailed
from agent.core.ids import ROOT, ObjectId, object_id
from agent.core.rows import ObjectRow, encode_object
from agent.generations.checking import UNREAD_MOST, ChunkCheck, DamagedChunk, every_name, hurt_by
from agent.store.catalog.catalog import CatalogLimits
from agent.store.vault.vault import Vault
from fakes.collected_stores import Stores, list_of
from fakes.idle import goes_on
from fakes.store_fakes import begun, file_row, header, name_row, number

A, B = object_id(1, 10), object_id(1, 11)


@pytest.fixture
def stores(tmpfs_dir: Path) -> Iterator[Stores]:
    """With nothing in them."""
    with Stores(tmpfs_dir) as made:
        yield made


class Failing:
    """A vault on a disk that gives nothing of some chunks."""

    def __init__(self, vault: Vault, bad: set[bytes]) -> None:
        self.vault, self.bad = vault, bad

    def read_stored(self, name: bytes) -> bytes:
        if name in self.bad:
            raise StoreFailed("read a chunk", "00000001.pack", "Input/output error")
        return self.vault.read_stored(name)


def look(stores: Stores, vault: Vault | Failing, among: Callable[[bytes], bool] = every_name) -> ChunkCheck:
    """At every moment."""
    check = ChunkCheck(vault, lambda _: None, among)
    with stores.catalog.reader() as reader:
        check.run(reader, None)
    return check


def test_only_what_is_asked_for_is_read(stores: Stores) -> None:
    """Also of what stands below lists, which are read to come to it; each once, whatever names it."""
    raws = [b"%d" % number * 500 for number in range(80)]
    stores.write(A, stores.put_tree(raws))
    stores.write(B, stores.put(*raws[:8]))
    asked = {name_of(raw) for raw in raws[4:60]}
    read = look(stores, stores.vault, asked.__contains__).checked_bytes - sum(map(len, stores.lists.values()))
    assert sum(map(len, raws[4:60])) == read


def test_damage_beside_what_is_asked_for_is_not_looked_for(stores: Stores) -> None:
    """A share answers for itself."""
    stores.write(A, chunks.encode(list_of(b"one", b"two")))
    assert {name_of(b"two")} == set(look(stores, stores.vault, {name_of(b"two")}.__contains__).damaged)
    assert {name_of(b"one"), name_of(b"two")} == set(look(stores, stores.vault).damaged)


def test_what_is_staged_is_no_damage(tmpfs_dir: Path) -> None:
    """Its chunks are on their way."""
    with Stores(tmpfs_dir) as stores, begun(str(tmpfs_dir / "long.db"), CatalogLimits(staged=1)) as long:
        content = chunks.encode(list_of(b"to come"))
        row = encode_object(ObjectRow(ObjectId(B), stat.S_IFREG | 0o644, 0, 0, 7, size=7, content=content))
        long.write(Changes((file_row(A, 0),)), header(2))
        long.stage(number(3), Changes((row,)))
        with long.reader() as reader:
            assert B in [one.id for page in reader.file_versions() for one in page]
            check = ChunkCheck(stores.vault, lambda _: None, every_name)
            check.run(reader, None)
        assert {} == {name: why for name, why in check.damaged.items() if name == name_of(b"to come")}


def test_what_is_named_no_more_hurts_nobody(stores: Stores) -> None:
    """Its row expired, and it was collected, while it was looked for."""
    stores.write(A, chunks.encode(list_of(b"lost")))
    stores.seq += 1
    stores.catalog.write(Changes((name_row(ROOT, b"a", A),)), header(stores.seq))
    damaged = {name_of(b"gone"): "it is not there", name_of(b"lost"): "it is not there"}
    with stores.catalog.reader() as reader:
        hurt = hurt_by(damaged, stores.vault, reader, [], goes_on)
    assert [DamagedChunk(name_of(b"lost"), "it is not there", (b"a",), ("newest",), 1)] == hurt


def test_a_chunk_that_the_disk_does_not_give_is_damaged_and_unread(stores: Stores) -> None:
    """The others are read all the same."""
    stores.write(A, stores.put(b"bad", b"good"))
    check = look(stores, Failing(stores.vault, {name_of(b"bad")}))
    assert ({name_of(b"bad")}, {name_of(b"bad")}, 4) == (set(check.damaged), check.unread, check.checked_bytes)


def test_a_disk_that_fails_as_a_whole_ends_the_look(stores: Stores) -> None:
    """Nobody knows then what is there."""
    raws = [os.urandom(8) for _ in range(UNREAD_MOST + 1)]
    stores.write(A, stores.put(*raws))
    with pytest.raises(StoreFailed):
        look(stores, Failing(stores.vault, set(map(name_of, raws))))


def test_who_looks_can_end_it_before_anything_is_read(stores: Stores) -> None:
    """Rows alone may be many."""
    stores.write(A, stores.put(b"one"))
    told: list[int] = []
    with stores.catalog.reader() as reader:
        ChunkCheck(stores.vault, told.append, lambda _: False).run(reader, None)
        hurt_by({name_of(b"one"): ""}, stores.vault, reader, [], lambda: told.append(1))
    assert [0, 1] == told


def test_chunks_of_an_adopted_tree_are_where_they_stand(stores: Stores) -> None:
    """They are in no pack yet, and no damage for that."""

    class Tree:
        """What stands there."""

        def rely(self, names: object) -> set[bytes]:
            """Nothing is asked for."""
            return set()

        def sync(self) -> None:
            """Nothing to do."""

        def chunk(self, name: bytes) -> bytes | None:
            """Of one file."""
            return b"there" if name == name_of(b"there") else None

        def drop(self, names: object) -> None:
            """Nothing."""

    stores.write(A, chunks.encode(list_of(b"there", b"nowhere")))
    stores.vault.elsewhere = Tree()
    check = look(stores, stores.vault)
    assert ({name_of(b"nowhere")}, 5) == (set(check.damaged), check.checked_bytes)
