"""The standby's filesystem is full, and freed again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.results import RootFull, silent
from agent.core.ids import ROOT
from fakes.apply_fakes import Tree, rig

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of one MiB, and 40 files."""
    mount = tmp_path / "small"
    mount.mkdir()
    options = "size=1m,nr_inodes=60,mode=755"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", mount], check=False).returncode:
        pytest.skip("no mounts here")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


@pytest.mark.parametrize("large", [True, False])
def test_a_full_disk_stops_it_and_room_lets_it_go_on(tmp_path: Path, small: Path, large: bool) -> None:
    """Out of blocks or out of inodes: nothing half-made stays, and it ends right once there is room."""
    with rig(tmp_path / "rig") as it:
        it.root = small
        applier = it.applier()
        tree = Tree.empty(it.store)
        tree.file(ROOT, b"first", b"first")
        applier.converge(it.commit(tree), silent)
        d = tree.directory(ROOT, b"d")
        for number in range(3 if large else 80):
            tree.file(d, b"%d" % number, bytes([number]) * (400_000 if large else 10))
        commit = it.commit(tree)
        for _ in range(2):
            with pytest.raises(RootFull):
                applier.converge(commit, silent)
            assert [] == os.listdir(small / ".hikae" / "t")
        subprocess.run(["mount", "-o", "remount,size=8m,nr_inodes=500", small], check=True)
        done = applier.converge(commit, silent)
        assert (0, 0, tree.expected(), []) == (done.failed, done.displaced, it.seen(), it.problems())


def test_a_full_disk_stops_no_redo_that_only_parts(tmp_path: Path, small: Path) -> None:
    """A file that has a further name in what was set aside is as it should be: it keeps it, and that is told."""
    with rig(tmp_path / "rig") as it:
        it.root = small
        tree = Tree.empty(it.store)
        tree.file(ROOT, b"large", b"x" * 700_000)
        changing = tree.file(ROOT, b"changing", b"first")
        applier = it.applier()
        applier.converge(it.commit(tree), silent)
        os.link(small / "large", small / ".hikae/displaced/20261201T000000Z-1-large")
        it.dies(applier)
        tree.write(changing, b"newer")
        applier = it.applier()
        done = applier.converge(it.commit(tree), silent)
        assert (0, tree.expected(), True) == (done.failed, it.seen(), "further-names" in it.problems())
        tree.write(changing, b"newest")
        assert not applier.converge(it.commit(tree), silent).redo
