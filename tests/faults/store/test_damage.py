"""Bytes that changed on the medium: an error that says what to do, or a rebuild, never a wrong answer."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from agent.core.commit import Changes
from agent.core.digest import digest_of
from agent.core.errors import Damaged
from agent.core.ids import ROOT, object_id
from agent.store.catalog.catalog import Catalog
from agent.store.vault.vault import PackEnd, Vault
from fakes.idle import damaged_in
from fakes.store_fakes import begun, file_row, flat, header, name_row, number, some_chunks

PAGE = 4096


def full_catalog(path: str) -> bytes:
    """A catalog of 500 files, folded into one file; its digest."""
    with begun(path) as catalog:
        rows: list[bytes] = []
        for i in range(1, 501):
            rows += (file_row(object_id(1, i)), name_row(ROOT, b"file %d" % i, object_id(1, i)))
        return catalog.write(Changes(rows), header(2)).digest


def test_any_damaged_page_of_a_catalog_is_damage_or_harmless(tmpfs_dir: Path, rng: random.Random) -> None:
    """A flipped bit is found when its page is read; if it is not read, the answers are right."""
    path = tmpfs_dir / "catalog.db"
    digest = full_catalog(str(path))
    whole = path.read_bytes()
    remedies: list[str] = []
    for page in range(len(whole) // PAGE):
        at = page * PAGE + rng.randrange(PAGE)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
        for name in ("catalog.db-wal", "catalog.db-shm"):
            (tmpfs_dir / name).unlink(missing_ok=True)
        try:
            with Catalog.open(str(path)) as catalog:
                assert digest == digest_of(flat(catalog.rows_at()))
        except Damaged as error:
            remedies.append(error.remedy)
    assert all("mv " in remedy for remedy in remedies)
    assert len(remedies) > len(whole) // PAGE // 2


@pytest.mark.parametrize("bit", range(8))
def test_any_damaged_header_of_a_catalog_is_damage(tmpfs_dir: Path, bit: int) -> None:
    """The first 100 bytes say how the others are read; each of their bits is guarded."""
    path = tmpfs_dir / "catalog.db"
    digest = full_catalog(str(path))
    whole = path.read_bytes()
    for at in range(100):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
        for name in ("catalog.db-wal", "catalog.db-shm"):
            (tmpfs_dir / name).unlink(missing_ok=True)
        with suppress(Damaged), Catalog.open(str(path)) as catalog:
            assert digest == digest_of(flat(catalog.rows_at()))


def test_a_deleted_catalog_is_created_anew(tmpfs_dir: Path) -> None:
    """And says so; the vault beside it keeps what it has."""
    path = tmpfs_dir / "catalog.db"
    full_catalog(str(path))
    path.unlink()
    with Catalog.open(str(path)) as catalog:
        assert (True, None, PackEnd(0, 0)) == (catalog.created, catalog.newest(), catalog.pack_end())


def test_a_catalog_whose_buckets_do_not_fit_is_damaged(tmpfs_dir: Path) -> None:
    """Rows and digest must have been written by the same hand."""
    path = str(tmpfs_dir / "catalog.db")
    with begun(path) as catalog:
        catalog._connection.execute("insert into sums values (0, randomblob(1024))").fetchall()
    with pytest.raises(Damaged, match="bucket sums"):
        Catalog.open(path)


def test_a_cut_catalog_is_damaged(tmpfs_dir: Path) -> None:
    """A file that lost its second half."""
    path = tmpfs_dir / "catalog.db"
    full_catalog(str(path))
    os.truncate(path, path.stat().st_size // 2 // PAGE * PAGE)
    with pytest.raises(Damaged), Catalog.open(str(path)) as catalog:
        flat(catalog.rows_at())


@pytest.mark.parametrize("rebuilt", [False, True])
def test_any_damage_in_a_pack_is_found(tmpfs_dir: Path, rng: random.Random, rebuilt: bool) -> None:
    """With the index, and after it is rebuilt: one chunk is damaged or missing, all others are right."""
    directory = str(tmpfs_dir / "vault")
    chunks, raws = some_chunks(20, 300)
    with Vault.open(directory, PackEnd(0, 0)) as vault:
        vault.add(chunks, raws)
        end = vault.sync()
    Vault.open(directory, end).close()
    pack = tmpfs_dir / "vault/packs/00000000.pack"
    whole = pack.read_bytes()
    for _ in range(30):
        at = rng.randrange(len(whole))
        pack.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
        if rebuilt:
            (tmpfs_dir / "vault/index.db").unlink()
        with Vault.open(directory, end) as vault:
            missing = vault.missing([c.name for c in chunks])
            damaged = [name for name, _ in damaged_in(vault)]
            assert 1 == len(missing) + len(damaged)
            good = {c.name: raw for c, raw in zip(chunks, raws, strict=True) if c.name not in (*missing, *damaged)}
            assert good == {name: vault.read(name) for name in good}


def test_the_newest_state_is_that_of_the_sealed_rows(tmpfs_dir: Path) -> None:
    """The digest that is stored is the digest of what is stored."""
    path = str(tmpfs_dir / "catalog.db")
    digest = full_catalog(path)
    with Catalog.open(path) as catalog:
        assert digest == digest_of(flat(catalog.rows_at(number(2))))
