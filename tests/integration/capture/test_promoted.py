"""A node that was a standby captures: it knows its tree, and reads what changes (law 5)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.fs.durable import has_silent_stores
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import wait_for
from fakes.promoted import Damage, promoted

PAGE = 4096
#: So many runs of data, a hole after each, make a list of more entries than a flat one holds.
RUNS = 1200


@pytest.fixture
def base(ext4_dir: Path) -> Path:
    """Not in memory: no stat vouches for anything there."""
    fd = os.open(ext4_dir, os.O_RDONLY)
    silent = has_silent_stores(fd)
    os.close(fd)
    if silent:
        pytest.skip("the directory for temporary files is on a filesystem in memory")
    return ext4_dir


def fill(root: Path) -> None:
    """Small files, one of several chunks, one with a long chunk list, links and directories."""
    for number in range(20):
        (root / f"d{number % 3}").mkdir(exist_ok=True)
        (root / f"d{number % 3}" / f"f{number}").write_bytes(os.urandom(100 + number))
    (root / "several").write_bytes(os.urandom(400_000))
    with open(root / "long", "wb") as file:
        for number in range(RUNS):
            file.seek(number * 4 * PAGE)
            file.write(os.urandom(PAGE))
        file.truncate(RUNS * 4 * PAGE)
    (root / "link").symlink_to("several")
    os.link(root / "several", root / "d0" / "again")


def write_within(path: Path) -> None:
    """A few bytes change in the middle, and no size does."""
    with open(path, "r+b") as file:
        file.seek(RUNS // 2 * 4 * PAGE)
        file.write(b"changed")


def test_nothing_is_read_until_something_changes(base: Path) -> None:
    """Not by the walk at its opening either; a small change costs its own bytes."""
    with promoted(base, fill) as it:
        it.station.synced()
        assert (0, []) == (it.reads.bytes, it.station.mirror())
        (it.root / "d1" / "f1").write_bytes(b"changed")
        it.station.hint(b"d1/f1")
        assert (len(b"changed"), []) == (it.reads.bytes, it.station.mirror())
        it.station.reconcile()
        assert (b"changed", []) == (it.station.copied(b"d1/f1"), it.station.mirror())


def test_a_file_with_a_long_list_is_captured_with_what_was_received_of_it(base: Path) -> None:
    """The parts of its list stand in the vault only; what it needs beside its names is made by reading it once."""
    with promoted(base, fill) as it:
        it.station.synced()
        before = it.station.outlet.chunks.keys() | set()
        write_within(it.root / "long")
        it.station.hint(b"long")
        assert (RUNS * PAGE, []) == (it.reads.bytes, it.station.mirror())
        fresh = [len(it.station.outlet.chunks[name]) for name in it.station.outlet.chunks.keys() - before]
        assert max(fresh) < 20 * PAGE
        assert sum(fresh) < 40 * PAGE


def test_without_what_was_received_capture_stops_and_says_so(base: Path) -> None:
    """Whoever opens a promoted node without its vault is told which part is lacking, and by whom."""
    with promoted(base, fill, with_vault=False) as it:
        it.station.synced()
        write_within(it.root / "long")
        it.station.pump.hint([Hint(b"long", Look.ENTRY)])
        wait_for(lambda: bool(it.station.failed))
        assert "neither the catalog nor the vault has this part of it" in str(it.station.failed.pop())


def test_a_damaged_part_of_a_list_is_a_problem_of_its_path(base: Path) -> None:
    """The file is read as new, and everything else goes on; once its list is whole again, nothing is wrong with it."""
    damage = Damage()
    with promoted(base, fill, damage=damage) as it:
        it.station.synced()
        damage.stands = True
        write_within(it.root / "long")
        (it.root / "several").write_bytes(b"1")
        it.station.hint(b"long", b"several")
        assert ([], []) == (it.station.failed, it.station.mirror())
        assert [("vault-damaged", b"long")] == it.station.problems()
        asked = len(damage.asked)
        with open(it.root / "long", "r+b") as file:
            file.write(b"once more")
        it.station.hint(b"long")
        assert ([], []) == (it.station.problems(), it.station.mirror())
    assert (True, asked) == (asked > 0, len(damage.asked))
