"""A sync that fails is told, whichever it was, and is never tried again (law 1)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from agent.core.errors import StoreFailed
from agent.store.catalog.catalog import Catalog
from agent.store.vault.limits import VaultLimits
from agent.store.vault.vault import PackEnd, Vault
from fakes.agents import REPOSITORY
from fakes.failing_sync import FailingSyncs, needs_compiler
from fakes.idle import damaged_in
from fakes.store_fakes import begun, number, some_chunks

SYNCS_MAX = 60


def written(syncs: FailingSyncs, what: str, place: Path) -> str:
    """What the writer says."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.store.syncing_writer", what, str(place)],
        capture_output=True,
        text=True,
        env={**syncs.environment, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}"},
        cwd=REPOSITORY,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.strip()


@needs_compiler
@pytest.mark.parametrize("what", ["catalog", "local"])
def test_every_sync_of_a_database_counts(tmp_path: Path, what: str) -> None:
    """Also the one with which the log is folded in, which SQLite would pass over: whichever fails, the writer hears of it."""
    syncs = FailingSyncs(tmp_path)
    said = []
    for skip in range(SYNCS_MAX):
        place = tmp_path / str(skip)
        place.mkdir()
        begun(str(place / "catalog.db")).close()
        syncs.order(f"{what}.db-wal", skip)
        answer = written(syncs, what, place)
        if not syncs.failed:
            assert "done" == answer
            break
        said.append(answer)
    assert ["failed"] * len(said) == said
    assert 2 < len(said) < SYNCS_MAX


@needs_compiler
def test_every_sync_of_a_vault_counts(tmp_path: Path) -> None:
    """Of packs that are left, of the last one, of the directory; what was not durable is not there when it is opened again."""
    syncs = FailingSyncs(tmp_path)
    said = []
    for skip in range(SYNCS_MAX):
        place = tmp_path / str(skip)
        place.mkdir()
        syncs.order(f"{place}/vault/packs", skip, ruin=True)
        answer = written(syncs, "vault", place)
        if not syncs.failed:
            break
        said.append(answer)
        with Vault.open(str(place / "vault"), PackEnd(0, 0)) as again:
            assert ([], []) == (again.damage, damaged_in(again))
    assert ["failed"] * len(said) == said
    assert 8 < len(said) < SYNCS_MAX


@needs_compiler
def test_a_vault_does_not_sync_again(tmp_path: Path) -> None:
    """The kernel would say that all is well."""
    syncs = FailingSyncs(tmp_path)
    syncs.order("vault/packs/00000000.pack", 1)
    assert ("failed", True) == (written(syncs, "again", tmp_path), syncs.failed)


class OneFails:
    """A sync that fails once for whoever comes first, and lets others come while it does."""

    def __init__(self) -> None:
        self.calls = 0
        self.armed = False
        self.begun = threading.Event()
        self.others = threading.Event()

    def __call__(self, fd: int) -> None:
        if not self.armed:
            return
        self.calls += 1
        if self.calls == 1:
            self.begun.set()
            self.others.wait(0.3)
            raise OSError(5, os.strerror(5))


def test_two_that_sync_at_once_both_hear_of_it(tmp_path: Path) -> None:
    """The error is told to one of them only; the other must not take its chunks for durable."""
    one = OneFails()
    with Vault.open(str(tmp_path / "vault"), PackEnd(0, 0), sync_file=one) as vault:
        vault.add(*some_chunks(3))
        one.armed = True
        heard: list[str] = []

        def sync() -> None:
            try:
                vault.sync()
            except StoreFailed:
                heard.append("failed")

        threads = [threading.Thread(target=sync) for _ in range(2)]
        threads[0].start()
        assert one.begun.wait(20)
        threads[1].start()
        one.others.set()
        for thread in threads:
            thread.join()
        assert (["failed", "failed"], 1) == (heard, one.calls)


def test_a_directory_that_cannot_be_synced_fails_the_sync(tmp_path: Path) -> None:
    """A pack that a power cut could take away as a whole is not durable."""
    failing: list[str] = []

    def sync_directory(path: str) -> None:
        if failing:
            raise OSError(5, os.strerror(5), path)

    with Vault.open(
        str(tmp_path / "vault"), PackEnd(0, 0), VaultLimits(pack=1000), sync_directory=sync_directory
    ) as vault:
        vault.add(*some_chunks(1))
        vault.add(*some_chunks(1))
        failing.append("now")
        for _ in range(2):
            with pytest.raises(StoreFailed):
                vault.sync()
        with suppress(StoreFailed):
            vault.add(*some_chunks(1))


def test_what_a_dead_process_left_in_the_log_is_written_again(tmp_path: Path) -> None:
    """Whether its last sync worked nobody knows any more: the log is folded in before anything is read from it."""
    path = str(tmp_path / "catalog.db")
    dead = begun(path)
    # A copy of the files as they are while the log is in use is what a kill leaves.
    for suffix in ("", "-wal"):
        (tmp_path / f"left.db{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    dead.close()
    with Catalog.open(str(tmp_path / "left.db")) as again:
        newest = again.newest()
        assert newest is not None
        (tmp_path / "alone.db").write_bytes((tmp_path / "left.db").read_bytes())
    with Catalog.open(str(tmp_path / "alone.db")) as alone:
        assert (number(1), newest) == (newest.number, alone.newest())
