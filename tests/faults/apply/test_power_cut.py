"""A power cut takes back what local facts learned since the checkpoint: the standby is ahead of everything known."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from agent.apply.results import silent
from agent.core.ids import ROOT
from agent.store.local import Local
from fakes.apply_fakes import Chance, Crash, DiesAt, Rig, Tree, rig
from fakes.loop_image import can_mount, disk


@pytest.mark.parametrize("round", range(40))
def test_the_redo_needs_only_the_checkpoint(tmpfs_dir: Path, seed: int, round: int) -> None:
    """Handles of everything new are unknown, and so is what was attempted; it still ends in the newest tree."""
    rng = random.Random(seed * 1000 + round)
    chance = Chance(rng)
    with rig(tmpfs_dir / "rig") as it:
        tree = chance.evolve(Tree.empty(it.store), rng.choice((0, 30)))
        applier = it.applier()
        applier.converge(it.commit(tree), silent)
        applier.checkpoint()
        it.dies(applier)
        _save(it)
        applier = it.applier(DiesAt(rng.randint(1, 80)))
        try:
            for _ in range(3):
                tree = chance.evolve(tree, rng.choice((3, 15)))
                applier.converge(it.commit(tree), silent)
        except Crash:
            pass
        it.dies(applier)
        _power_cut(it)
        if rng.random() < 0.5:
            tree = chance.evolve(tree, 8)
            it.commit(tree)
        newest = it.catalog.newest()
        assert newest is not None
        done = it.applier().converge(newest, silent)
        assert (0, tree.expected()) == (done.failed, it.seen())


def _save(it: Rig) -> None:
    it.local.close()
    shutil.copy(it.base / "local.db", it.base / "saved.db")
    it.local = Local.open(str(it.base / "local.db"))


def _power_cut(it: Rig) -> None:
    it.local.close()
    for suffix in ("-wal", "-shm"):
        (it.base / f"local.db{suffix}").unlink(missing_ok=True)
    shutil.copy(it.base / "saved.db", it.base / "local.db")
    it.local = Local.open(str(it.base / "local.db"))


@pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="takes root and loop devices")
def test_a_standby_that_was_just_taken_is_known_after_a_cut(tmpfs_dir: Path) -> None:
    """Its mark is written out before it is relied on: local facts may be lost at any time later."""
    with disk(tmpfs_dir, 64) as machine:
        with rig(tmpfs_dir / "rig") as it:
            it.root = machine.root / "standby"
            it.applier().prepare()
            machine.freeze_frame()
        with machine.looked_at() as there:
            assert b"web" == (there / "standby" / ".hikae" / "standby").read_bytes()


def test_files_cut_to_nothing_are_written_again(tmpfs_dir: Path) -> None:
    """As a filesystem may leave what was renamed into place and never synced."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = Tree.empty(it.store)
        it.commit(tree)
        for number in range(5):
            tree.file(ROOT, b"%d" % number, b"content %d" % number)
        applier.converge(it.commit(tree), silent)
        it.dies(applier)
        for path in it.root.glob("[0-2]"):
            path.write_bytes(b"")
        newest = it.catalog.newest()
        assert newest is not None
        done = it.applier().converge(newest, silent)
        assert (27, tree.expected(), []) == (done.bytes, it.seen(), it.problems())
