"""Sizes at which others give up: huge files, huge directories, deep trees, and what the agents hold in memory meanwhile.

`make test` runs a share, `make soak` the whole sizes (docs/evidence.md). Memory is bounded by configuration, so its limit is
the same for both.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.agents import UNBRAKED, Pair, pair
from fakes.huge import deep_tree, depth_of, empty_files, measured, remove_deep, shape, sparse_file
from fakes.memory import Resident

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
FILES = 1_000_000 if WHOLE else 20_000
LEVELS = 10_000 if WHOLE else 1_000
#: Resident memory of either side (docs/performance.md), and how long anything may take.
MEMORY = 250 << 20
LIMIT_S = 3600 if WHOLE else 120
#: The directory of all files is renamed: until the standby has it.
RENAME_S = 1.0
#: On a disk there must be room for the file, the standby, and the vault.
LARGE_FILE = 64 << 30


def _applied(both: Pair) -> None:
    both.alpha.json("wait", "web", "--applied", "--timeout", str(LIMIT_S), timeout=LIMIT_S)


def _within_memory(what: str, seen: dict[str, Resident]) -> None:
    words = ", ".join(f"{name} at most {one.peak >> 20} MiB, then {one.now >> 20}" for name, one in seen.items())
    print(f"{what}: {words}")
    assert {} == {name: one.peak >> 20 for name, one in seen.items() if one.peak > MEMORY}, what


@contextmanager
def _step(both: Pair, what: str) -> Iterator[None]:
    """Something that both agents do within the memory that is allowed; says how long it took."""
    begun = time.monotonic()
    with measured(both) as seen:
        yield
    _within_memory(f"{what} in {time.monotonic() - begun:.1f} s", seen)


@contextmanager
def _begun(both: Pair) -> Iterator[None]:
    both.start()
    for agent in both.agents:
        agent.up()
    with _step(both, "first sync"):
        _applied(both)
    yield


def _looks_and_starts(both: Pair) -> None:
    """A reconcile, a verify, and a new start of either agent."""
    with _step(both, "reconcile"):
        both.alpha.json("reconcile", "web", timeout=LIMIT_S)
    with _step(both, "verify"):
        report = both.beta.json("verify", "web", timeout=LIMIT_S)
        assert ([], True) == (report["differences"], report["equal"])
    for agent in both.agents:
        agent.restart()
        with _step(both, f"a new start of {agent.name}"):
            both.alpha.connected()
            _applied(both)


@pytest.mark.timeout(2 * LIMIT_S)
def test_many_files_in_one_directory() -> None:
    """A directory of 1,000,000 entries arrives, is looked at and renamed (one row: within a second) in bounded memory."""
    with pair(UNBRAKED) as both:
        empty_files(both.source / "many", FILES)
        with _begun(both):
            _looks_and_starts(both)
            begun = time.monotonic()
            (both.source / "many").rename(both.source / "renamed")
            both.alpha.wait("applied")
            took = time.monotonic() - begun
            print(f"renamed in {took:.2f} s")
            assert (["renamed"], FILES) == (_names(both.target), len(os.listdir(both.target / "renamed")))
            assert took < RENAME_S or not WHOLE


@pytest.mark.skipif(not WHOLE, reason="make soak")
@pytest.mark.timeout(2 * LIMIT_S)
def test_a_million_files() -> None:
    """1,000,000 files in 1,000 directories: the same in bounded memory."""
    with pair(UNBRAKED) as both:
        empty_files(both.source / "many", FILES, 1000)
        with _begun(both):
            _looks_and_starts(both)


@pytest.mark.timeout(2 * LIMIT_S)
def test_a_deep_tree() -> None:
    """10,000 levels arrive, are looked at, moved and removed."""
    with pair(UNBRAKED) as both:
        try:
            deep_tree(both.source / "deep", LEVELS)
            # A source that became empty would be held.
            (both.source / "stays").touch()
            with _begun(both):
                assert (LEVELS, ["innermost"]) == depth_of(both.target / "deep")
                _looks_and_starts(both)
                (both.source / "deep").rename(both.source / "moved")
                _applied(both)
                assert (LEVELS, ["innermost"]) == depth_of(both.target / "moved")
                remove_deep(both.source / "moved")
                (both.source / "moved").rmdir()
                both.alpha.json("reconcile", "web", timeout=LIMIT_S)
                _applied(both)
                assert ["stays"] == _names(both.target)
        finally:
            for agent in both.agents:
                agent.kill()
            for top in (both.source, both.target):
                for name in ("deep", "moved"):
                    remove_deep(top / name)


@pytest.mark.timeout(LIMIT_S)
def test_a_sparse_file_of_a_tebibyte() -> None:
    """A file of 1 TiB with a few bytes in it arrives as holes, changes, and costs neither memory nor disk."""
    with pair(UNBRAKED) as both:
        both.source.mkdir(exist_ok=True)
        sparse_file(both.source / "sparse", 1 << 40)
        with _begun(both):
            assert shape(both.source / "sparse") == shape(both.target / "sparse")
            with _step(both, "a change"), (both.source / "sparse").open("r+b") as file:
                file.seek(300 << 30)
                file.write(b"a new island")
                file.flush()
                _applied(both)
            assert shape(both.source / "sparse") == shape(both.target / "sparse")
            assert 7 == len(shape(both.target / "sparse")[1])
            assert (both.target / "sparse").stat().st_blocks * 512 < 16 << 20


@pytest.mark.skipif(not WHOLE, reason="make soak")
@pytest.mark.timeout(2 * LIMIT_S)
def test_a_large_file_on_disk(tmp_path: Path) -> None:
    """64 GiB, or what fits a quarter of the disk's free space, arrives in bounded memory."""
    size = min(LARGE_FILE, shutil.disk_usage(tmp_path).free // 4) >> 20
    with pair(UNBRAKED, directory=str(tmp_path)) as both:
        both.source.mkdir(exist_ok=True)
        with (both.source / "large").open("wb") as file:
            for _ in range(size):
                file.write(os.urandom(1 << 20))
        print(f"a file of {size:,} MiB")
        with _begun(both):
            assert size << 20 == (both.target / "large").stat().st_size
            with _step(both, "verify --deep"):
                assert both.beta.json("verify", "web", "--deep", timeout=LIMIT_S)["equal"]


def _names(root: Path) -> list[str]:
    return sorted(name for name in os.listdir(root) if name != ".hikae")
