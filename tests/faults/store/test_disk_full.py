"""The disk is full, then freed: what was sealed stands, the same call works again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agent.core.chunks import encode
from agent.core.commit import Changes, Commit
from agent.core.digest import digest_of
from agent.core.errors import TryAgain
from agent.core.ids import ROOT, object_id
from agent.store.catalog.catalog import Catalog, CatalogLimits
from agent.store.collection import CollectionLimits
from agent.store.local import Local, LocalRow
from agent.store.vault.limits import VaultLimits
from agent.store.vault.vault import PackEnd, Vault
from fakes.collected_stores import Stores, list_of
from fakes.idle import damaged_in
from fakes.store_fakes import begun, file_row, flat, header, name_row, number, some_chunks

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small filesystem, which takes root")

SIZE = 6 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 6 MiB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(tmp_path)], check=True)
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def fill(directory: Path, leave: int) -> None:
    """Take all room but ``leave`` bytes."""
    with suppress(OSError), (directory / "ballast").open("wb") as file:
        stat = os.statvfs(directory)
        os.posix_fallocate(file.fileno(), 0, stat.f_bavail * stat.f_bsize - leave)


def rows_of(seq: int, count: int) -> list[bytes]:
    """Files with names."""
    ids = [object_id(1, seq * 10_000 + i) for i in range(count)]
    return [row for id in ids for row in (file_row(id), name_row(ROOT, b"file %d" % id, id))]


@pytest.mark.parametrize("sliced", [False, True])
@pytest.mark.parametrize("leave", [0, 65_536, 400_000])
def test_a_catalog_goes_on_when_there_is_room(small: Path, sliced: bool, leave: int) -> None:
    """Large commits fail as TryAgain, whole; afterwards the same commit is sealed with the right digest."""
    limits = CatalogLimits(staged=500) if sliced else CatalogLimits()
    with begun(str(small / "catalog.db"), limits) as catalog:
        small_commit = catalog.write(Changes(rows_of(0, 10)), header(2))
        fill(small, leave)
        rows = rows_of(1, 9000)
        for _ in range(2):
            with pytest.raises(TryAgain, match="full"):
                _stage_and_seal(catalog, rows)
            assert small_commit == catalog.newest()
            assert small_commit.digest == digest_of(flat(catalog.rows_at()))
        (small / "ballast").unlink()
        rows = rows[:2000]
        commit = _stage_and_seal(catalog, rows)
        assert commit.digest == digest_of(flat(catalog.rows_at()))
    with Catalog.open(str(small / "catalog.db")) as again:
        assert commit == again.newest()


def _stage_and_seal(catalog: Catalog, rows: list[bytes]) -> Commit:
    for start in range(0, len(rows), 400):
        catalog.stage(number(3), Changes(rows[start : start + 400]))
    return catalog.seal(header(3), PackEnd(0, 0))


def test_a_vault_goes_on_when_there_is_room(small: Path) -> None:
    """No half record stays; what was in before is read, what did not fit comes again."""
    first, first_raws = some_chunks(50)
    second, second_raws = some_chunks(3000)
    with Vault.open(str(small / "vault"), PackEnd(0, 0), VaultLimits(cache=0)) as vault:
        vault.add(first, first_raws)
        vault.sync()
        fill(small, 1 << 20)
        for _ in range(3):
            with pytest.raises(TryAgain, match="full"):
                vault.add(second, second_raws)
        assert first_raws == [vault.read(c.name) for c in first]
        (small / "ballast").unlink()
        vault.add(second, second_raws)
        end = vault.sync()
        assert second_raws == [vault.read(c.name) for c in second]
    with Vault.open(str(small / "vault"), end) as again:
        assert ([], []) == (again.damage, again.missing([c.name for c in (*first, *second)]))
        assert [] == damaged_in(again)


def test_an_index_that_finds_no_room_waits(small: Path) -> None:
    """The packs are durable without it, so sync tells the truth; it is written later."""
    chunks, raws = some_chunks(3000, 100)
    with Vault.open(str(small / "vault"), PackEnd(0, 0), VaultLimits(flush=1)) as vault:
        fill(small, 560_000)
        vault.add(chunks, raws)
        end = vault.sync()
        assert 3000 == vault._index.waiting()
        (small / "ballast").unlink()
        more, more_raws = some_chunks(1)
        vault.add(more, more_raws)
        assert end < vault.sync()
        assert 0 == vault._index.waiting()
        assert [] == vault.missing([c.name for c in chunks])


def test_a_collection_makes_room_where_there_is_none(small: Path) -> None:
    """Packs in which all is dead go without a byte being written; the rest is rewritten once there is room for that."""
    with Stores(small, VaultLimits(pack=200_000, cache=0, flush=1)) as stores:
        dead, dead_raws = some_chunks(700)
        for first in range(0, 700, 100):
            stores.vault.add(dead[first : first + 100], dead_raws[first : first + 100])
        kept = [os.urandom(900) for _ in range(300)]
        for raw in kept:
            stores.put(raw, os.urandom(900))
        stores.write(object_id(1, 1), encode(list_of(*kept)))
        stores.vault.write_index()
        # As the index folds its log in by itself, now and then.
        stores.vault._index.settle()
        fill(small, 0)
        free = os.statvfs(small).f_bavail
        room = CollectionLimits(room=0)
        assert 0 < stores.collect(room).compacted.packs
        assert free < os.statvfs(small).f_bavail
        assert [True] * 300 == stores.held(*kept)


def test_local_facts_go_on_when_there_is_room(small: Path) -> None:
    """A write that did not fit left nothing, and works later."""
    rows = [LocalRow(object_id(1, i), os.urandom(20), i, 1, 2, 3, True, b"p" * 400) for i in range(1, 6000)]
    with Local.open(str(small / "local.db")) as local:
        local.write(rows[:10])
        fill(small, 200_000)
        with pytest.raises(TryAgain, match="full"):
            local.write(rows)
        assert {row.id: row for row in rows[:10]} == local.get_many(row.id for row in rows)
        (small / "ballast").unlink()
        local.write(rows[:3000])
        assert 3000 == len(local.get_many(row.id for row in rows))


def test_a_full_disk_takes_nothing_back_that_was_written(small: Path) -> None:
    """The transaction that did not fit is done once more: for who reads, and for the next commit."""
    rows = [LocalRow(object_id(1, i), os.urandom(20), i, 1, 2, 3, True, b"p" * 400) for i in range(1, 1000)]
    path = str(small / "local.db")
    with Local.open(path, lambda: 0.0) as local:
        for row in rows:
            local.write([row])
        fill(small, 0)
        found = []
        for _ in range(2):
            with pytest.raises(TryAgain, match="full"):
                local.keep()
            found.append(len(local.get_many(row.id for row in rows)))
        (small / "ballast").unlink()
        local.keep()
        with Local.open(path) as beside:
            found.append(len(beside.get_many(row.id for row in rows)))
    assert [len(rows)] * 3 == found
