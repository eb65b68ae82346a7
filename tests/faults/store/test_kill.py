"""kill -9 at random points: what opens afterwards is a sealed state with its digest, and every chunk that it names is there."""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
from pathlib import Path

from agent.core.chunks import names_in
from agent.core.digest import digest_of
from agent.core.ids import CommitNumber
from agent.core.rows import decode_object, is_object
from agent.store.catalog.catalog import Catalog
from agent.store.vault.index import remove_index
from agent.store.vault.limits import VaultLimits
from agent.store.vault.vault import Vault
from fakes.idle import damaged_in
from fakes.store_fakes import flat

ROUNDS = 20
#: ``make soak`` has 500.
COMPACTED = max(20, int(os.environ.get("HIKAE_SOAK_SEEDS", "0")))
WRITER = Path(__file__).with_name("killed_writer.py")
COMPACTOR = Path(__file__).with_name("killed_compactor.py")
PROJECT = Path(__file__).parents[3]


def test_what_opens_after_a_kill_is_whole(tmpfs_dir: Path, rng: random.Random) -> None:
    """Twenty kills on the same catalog and vault, each at another point of staging, adding, syncing or sealing."""
    told = 0
    for _ in range(ROUNDS):
        last = write_until_killed(WRITER, tmpfs_dir, rng)
        told += last is not None
        check_whole(tmpfs_dir, last)
    assert told > ROUNDS // 2


def test_what_opens_after_a_compaction_was_killed_is_whole(tmpfs_dir: Path, rng: random.Random) -> None:
    """Packs are rewritten and dropped all the time; each fifth time the index is lost as well."""
    rewritten = 0
    for turn in range(COMPACTED):
        last = write_until_killed(COMPACTOR, tmpfs_dir, rng)
        if turn % 5 == 4:
            remove_index(str(tmpfs_dir / "vault" / "index.db"))
        check_whole(tmpfs_dir, last)
        rewritten += (tmpfs_dir / "vault" / "durable.end").exists()
    assert rewritten


def write_until_killed(program: Path, directory: Path, rng: random.Random) -> tuple[int, str] | None:
    """Start the writer, let it seal a few commits, kill it; the last commit that it told of."""
    words = [sys.executable, str(program), str(directory), str(rng.randrange(1 << 30))]
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        for _ in range(rng.randrange(1, 15)):
            assert child.stdout.readline(), "the writer ended by itself"
        # The next commit is under way; a random moment of it, or of one after.
        select.select([], [], [], rng.random() * 0.02)
        child.kill()
        lines = child.stdout.read().decode().splitlines()
    if not lines:
        return None
    number, digest = lines[-1].split()
    return int(number), digest


def check_whole(directory: Path, last: tuple[int, str] | None) -> None:
    """Nothing that was told of is lost, the digest is that of the rows, the chunks are what they should be."""
    with (
        Catalog.open(str(directory / "catalog.db")) as catalog,
        Vault.open(str(directory / "vault"), catalog.pack_end(), VaultLimits(pack=60_000)) as vault,
    ):
        newest = catalog.newest()
        assert newest is not None
        if last is not None:
            told = catalog.commit_at(CommitNumber(last[0]))
            assert newest.number >= last[0]
            assert told is None or last[1] == told.digest.hex()
        rows = flat(catalog.rows_at())
        assert newest.digest == digest_of(rows)
        objects = [decode_object(row) for row in rows if is_object(row)]
        assert (len(rows) - len(objects), sum(row.size for row in objects)) == (newest.entries, newest.bytes)
        for row in objects:
            for _, name in names_in(row.content):
                assert row.size == len(vault.read(name))
        assert ([], []) == (vault.damage, damaged_in(vault))
