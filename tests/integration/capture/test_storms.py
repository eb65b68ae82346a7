"""Random operations, hints of which some are lost, walks in between: in the end catalog and tree are equal."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest

from agent.watch.hint import Hint, Look
from fakes.capture_fakes import WAIT, LightOutlet, RecordingOutlet, Station, Wiring, station
from fakes.storm import Storm
from fakes.trees import Seen, snapshot

ROUNDS = 12
OPERATIONS = 40


class SystemCallStorm(Storm):
    """Without stores to mapped memory: they raise no event, and where many hints merge only stats are looked at."""

    def mmap_store(self) -> None:
        raise FileNotFoundError(errno.ENOENT, "left out")


def hints_for(rng: random.Random, before: dict[bytes, Seen], after: dict[bytes, Seen], kept: float) -> list[Hint]:
    """What a careless watcher tells: some of the paths that differ, some as more than they are, in any order."""
    changed = [path for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]
    hints = [Hint(path, rng.choice(list(Look))) for path in changed if rng.random() < kept]
    rng.shuffle(hints)
    return hints


def run_storm(made: Station, rng: random.Random, seed: int, kept: float, kind: type[Storm] = Storm) -> None:
    """Operations and hints by turns; every few rounds the pump is not waited for."""
    storm = kind(str(made.root), seed, limit=150)
    before = snapshot(str(made.root))
    for _ in range(ROUNDS):
        storm.run(OPERATIONS)
        after = snapshot(str(made.root))
        made.pump.hint(hints_for(rng, before, after, kept))
        before = after
        if rng.random() < 0.5:
            made.pump.barrier().wait(WAIT)


@pytest.mark.parametrize("where", ["tmpfs_dir", "ext4_dir"])
def test_a_storm_with_lost_hints_ends_equal_after_a_reconcile(
    where: str, request: pytest.FixtureRequest, seed: int, rng: random.Random
) -> None:
    """Half of the hints are lost; every commit is a valid tree, and after a reconcile nothing differs."""
    base: Path = request.getfixturevalue(where)
    root = base / "root"
    root.mkdir()
    with station(root, base / "state") as made:
        made.synced()
        run_storm(made, rng, seed, kept=0.5)
        made.reconcile()
        made.pump.barrier().wait(WAIT)
        assert [] == made.mirror()


def test_a_storm_with_all_hints_ends_equal_without_a_walk(tmpfs_dir: Path, seed: int, rng: random.Random) -> None:
    """Where every changed path was told, hints are enough."""
    root = tmpfs_dir / "root"
    root.mkdir()
    with station(root, tmpfs_dir / "state") as made:
        made.synced()
        run_storm(made, rng, seed, kept=1.0, kind=SystemCallStorm)
        made.pump.barrier().wait(WAIT)
        assert [] == made.mirror()


def test_a_storm_without_the_privilege_to_open_by_handle(tmpfs_dir: Path, seed: int, rng: random.Random) -> None:
    """Where objects cannot be asked where they are, removals wait for the end of the walk, and the end is equal too."""
    root = tmpfs_dir / "root"
    root.mkdir()
    with station(root, tmpfs_dir / "state", wiring=Wiring(can_locate=lambda _: False)) as made:
        made.synced()
        run_storm(made, rng, seed, kept=0.6)
        made.reconcile()
        made.pump.barrier().wait(WAIT)
        assert [] == made.mirror()


def test_restarts_in_a_storm(tmpfs_dir: Path, seed: int, rng: random.Random) -> None:
    """Stopped at any moment and started again, now and then without its local facts, capture finds its way back."""
    root = tmpfs_dir / "root"
    root.mkdir()
    outlet: RecordingOutlet = LightOutlet()
    for number in range(4):
        with station(root, tmpfs_dir / "state", outlet) as made:
            made.start()
            run_storm(made, rng, seed + number, kept=0.7)
        if number % 2:
            for name in os.listdir(tmpfs_dir / "state"):
                if name.startswith("local.db"):
                    (tmpfs_dir / "state" / name).unlink()
    with station(root, tmpfs_dir / "state", outlet) as made:
        made.synced()
        assert [] == made.mirror()


def test_the_tree_changes_while_it_is_walked(tmpfs_dir: Path, seed: int, rng: random.Random) -> None:
    """Operations go on during the first sync and its hints; the end is equal all the same."""
    root = tmpfs_dir / "root"
    root.mkdir()
    storm = Storm(str(root), seed, limit=300)
    storm.run(600)
    with station(root, tmpfs_dir / "state") as made:
        made.start()
        before = snapshot(str(root))
        for _ in range(ROUNDS):
            storm.run(OPERATIONS)
            after = snapshot(str(root))
            made.pump.hint(hints_for(rng, before, after, kept=0.3))
            before = after
        made.reconcile()
        made.pump.barrier().wait(WAIT)
        assert [] == made.mirror()
