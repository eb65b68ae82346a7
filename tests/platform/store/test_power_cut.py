"""A power cut, as an ext4 image that is copied at the instant after ``seal`` returned: nothing that was sealed is missing."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agent.core.chunks import DATA, encode_one, name_of
from agent.core.commit import Changes, Commit
from agent.core.digest import digest_of
from agent.core.ids import ROOT, ObjectId, object_id
from agent.core.rows import ObjectRow, encode_object
from agent.store.catalog.catalog import Catalog
from agent.store.collection import CollectionLimits, collect
from agent.store.vault.codec import pack_chunk
from agent.store.vault.index import remove_index
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import PackEnd
from agent.store.vault.pack_use import CompactionLimits
from agent.store.vault.vault import Vault
from fakes.idle import damaged_in
from fakes.loop_image import after_a_power_cut, can_mount, make_image, mounted
from fakes.store_fakes import EPOCH, dir_row, expire, flat, header, name_row, number, some_chunks

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="takes root and loop devices")

ROUNDS = 5
#: Power cuts in the middle of compactions; ``make soak`` has a hundred.
CUTS = max(6, int(os.environ.get("HIKAE_SOAK_SEEDS", "0")))
COMPACTED = CollectionLimits(room=1 << 30, compaction=CompactionLimits(waste=0.0, least=0.02))
END = PackEnd(0, 0)


@pytest.fixture
def image(tmpfs_dir: Path) -> Path:
    """An empty ext4 filesystem of 64 MiB."""
    path = tmpfs_dir / "disk.img"
    make_image(path, 64)
    return path


def seal_one(catalog: Catalog, vault: Vault, seq: int) -> Commit:
    """A commit of ten files with their chunks, as the receiver does it."""
    raws = [os.urandom(2000) for _ in range(10)]
    names = [name_of(raw) for raw in raws]
    vault.add([pack_chunk(name, DATA, raw) for name, raw in zip(names, raws, strict=True)], raws)
    rows = [dir_row(ROOT, seq)]
    for i, name in enumerate(names):
        id = object_id(1, seq * 100 + i)
        rows += (_file(id, name), name_row(ROOT, b"file %d" % id, id))
    catalog.stage(number(seq), Changes(rows))
    return catalog.seal(header(seq), vault.sync())


def is_whole(state: Path, commit: Commit) -> bool:
    """Whether the commit is the newest there, its digest is that of its rows, and every chunk is readable."""
    with (
        Catalog.open(str(state / "catalog.db")) as catalog,
        Vault.open(str(state / "vault"), catalog.pack_end()) as vault,
    ):
        if catalog.newest() != commit or commit.digest != digest_of(flat(catalog.rows_at())):
            return False
        names = set(vault.names())
        return 10 * (commit.number - number(0)) == len(names) and not damaged_in(vault)


def test_what_was_sealed_survives_a_power_cut(image: Path, tmpfs_dir: Path) -> None:
    """Commit after commit, the image copied as soon as seal returns."""
    with (
        mounted(image, tmpfs_dir / "disk") as disk,
        Catalog.open(str(disk / "catalog.db")) as catalog,
        Vault.open(str(disk / "vault"), catalog.pack_end()) as vault,
    ):
        catalog.begin_epoch(EPOCH)
        for seq in range(1, ROUNDS + 1):
            commit = seal_one(catalog, vault, seq)
            with after_a_power_cut(image, tmpfs_dir / "after") as state:
                assert is_whole(state, commit)


def test_no_chunk_is_found_in_a_pack_that_was_deleted(image: Path, tmpfs_dir: Path) -> None:
    """The index forgets durably what is collected, before its pack goes."""
    with (
        mounted(image, tmpfs_dir / "disk") as disk,
        Catalog.open(str(disk / "catalog.db")) as catalog,
        Vault.open(str(disk / "vault"), catalog.pack_end(), VaultLimits(pack=4000, flush=1)) as vault,
    ):
        catalog.begin_epoch(EPOCH)
        names = []
        for _ in range(5):
            dead, raws = some_chunks(3)
            names += [one.name for one in dead]
            vault.add(dead, raws)
        vault.sync()
        # So that the log holds what follows, and nothing before it.
        vault._index._connection.wal_checkpoint()
        with catalog.reader() as reader:
            assert 0 < collect(vault, reader, vault.end(), lambda: None, CollectionLimits(0)).packs
        with after_a_power_cut(image, tmpfs_dir / "after") as state, Vault.open(str(state / "vault"), END) as again:
            there = [name for name in names if name not in again.missing(names)]
            assert [] == [name for name in there if again.read(name) is None]


@pytest.mark.parametrize("without", ["packs", "catalog"])
def test_a_missing_sync_is_caught(image: Path, tmpfs_dir: Path, monkeypatch: pytest.MonkeyPatch, without: str) -> None:
    """The test above can fail: with either sync taken out, something that was sealed is gone."""
    with (
        mounted(image, tmpfs_dir / "disk") as disk,
        Catalog.open(str(disk / "catalog.db")) as catalog,
        Vault.open(str(disk / "vault"), catalog.pack_end()) as vault,
    ):
        catalog.begin_epoch(EPOCH)
        seal_one(catalog, vault, 1)

        def is_caught(seq: int) -> bool:
            with monkeypatch.context() as patched:
                if without == "packs":
                    patched.setattr(os, "fdatasync", lambda fd: None)
                else:
                    catalog._connection.pragma("synchronous", 0)
                commit = seal_one(catalog, vault, seq)
            with after_a_power_cut(image, tmpfs_dir / "after") as state:
                return not is_whole(state, commit)

        # Somebody's sync of all disks of the machine may come in between, but not each time.
        assert any(is_caught(seq) for seq in range(2, 7))


def _file(id: ObjectId, name: bytes) -> bytes:
    return encode_object(ObjectRow(id, 0o100644, 0, 0, 0, 0, 2000, 0, (), encode_one(2000, name)))


def test_a_power_cut_in_a_compaction_loses_nothing(image: Path, tmpfs_dir: Path, rng: random.Random) -> None:
    """The image is copied at random steps; the index may be lost as well. Each file has one version, all others are gone."""
    with (
        mounted(image, tmpfs_dir / "disk") as disk,
        Catalog.open(str(disk / "catalog.db")) as catalog,
        Vault.open(str(disk / "vault"), catalog.pack_end(), VaultLimits(pack=40_000, flush=20)) as vault,
    ):
        catalog.begin_epoch(EPOCH)
        kept: dict[int, bytes] = {}
        for turn in range(CUTS):
            seq = turn + 1
            kept.update({id: rng.randbytes(2000) for id in rng.sample(range(200), 60)})
            vault.add([pack_chunk(name_of(raw), DATA, raw) for raw in kept.values()], list(kept.values()))
            catalog.stage(number(seq), Changes([_file(object_id(1, 1 + id), name_of(raw)) for id, raw in kept.items()]))
            catalog.seal(header(seq), vault.sync())
            expire(catalog, number(seq))
            cut = rng.randrange(1, 25)
            steps = itertools.count(1)

            def look(steps: Iterator[int] = steps, cut: int = cut) -> None:
                if next(steps) == cut:
                    raise InterruptedError

            with catalog.reader() as reader, suppress(InterruptedError):
                collect(vault, reader, vault.end(), look, COMPACTED)
            with after_a_power_cut(image, tmpfs_dir / "after") as state:
                if turn % 3 == 2:
                    remove_index(str(state / "vault" / "index.db"))
                with (
                    Catalog.open(str(state / "catalog.db")) as catalog_then,
                    Vault.open(str(state / "vault"), catalog_then.pack_end(), VaultLimits(pack=40_000)) as then,
                ):
                    assert list(kept.values()) == [then.read(name_of(raw)) for raw in kept.values()]
                    assert ([], []) == (then.damage, damaged_in(then))
