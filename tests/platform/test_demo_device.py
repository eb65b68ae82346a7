"""``hikae demo --device``: a disk is replicated, lost, promoted and taken back, on loop devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.demo.disks import require_disks
from agent.core.errors import NotPermitted
from agent.watch.blocks.tracefs import tracefs_place
from fakes.agents import REPOSITORY
from fakes.eventually import eventually
from fakes.loop_device import needs_loops

_COMMAND = (sys.executable, "-m", "agent.cli.main", "demo", "--device")


def demo(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, with its directory below this one."""
    environment = {**os.environ, "TMPDIR": str(directory)}
    return subprocess.run(
        [*_COMMAND, *words], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


@needs_loops
def test_all_of_it(tmpfs_dir: Path) -> None:
    """The disks are equal bit for bit, what was brought back is what was there, and nothing is left of it all."""
    before = set(_traces())
    done = demo(tmpfs_dir, "--json")
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    wanted = {"identical": True, "restored_identical": True, "promoted": True, "lost_changes": 0, "generations": 1}
    assert wanted == {key: found[key] for key in wanted}
    # Somebody else's demonstration may run beside this one, and ends.
    eventually(lambda: not [name for name in _traces() if name not in before and name.endswith("-demo")])
    assert ([], False) == (os.listdir(tmpfs_dir), str(tmpfs_dir) in Path("/proc/self/mountinfo").read_text())
    steps = ("compare        the two disks", "promote", "rejoin", "alpha is the primary again")
    assert ([], 3) == ([step for step in steps if step not in done.stderr], done.stderr.count("equal bit for bit"))


def _traces() -> list[str]:
    """The trace instances of this machine; other tests have theirs."""
    place = tracefs_place() / "instances"
    return os.listdir(place) if place.is_dir() else []


def test_a_tree_of_yours_is_no_disk(tmpfs_dir: Path) -> None:
    """One of both is named."""
    done = demo(tmpfs_dir, "--source", str(tmpfs_dir))
    assert (2, True) == (done.returncode, "--device makes a disk of its own" in done.stderr)


def test_it_is_for_root() -> None:
    """Who may mount nothing is told so before anything is made."""
    with pytest.raises(NotPermitted, match="use sudo"):
        require_disks(1000)
