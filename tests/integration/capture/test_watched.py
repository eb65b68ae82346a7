"""Watcher, settle and pump together: what system calls wrote is in a commit once a barrier returns."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from agent.watch.choose import choose
from agent.watch.fanotify import FanotifyGroups
from agent.watch.hint import no_further_names
from fakes.capture_fakes import WAIT, Wiring, station
from fakes.storm import Storm


class SystemCallStorm(Storm):
    """Without stores to mapped memory, which raise no event."""

    def mmap_store(self) -> None:
        raise FileNotFoundError(errno.ENOENT, "left out")


@pytest.mark.skipif(os.geteuid() != 0, reason="fanotify needs root")
def test_a_storm_is_followed_by_events_alone(tmpfs_dir: Path, seed: int) -> None:
    """No walk after the first: after each barrier the catalog is the tree."""
    root = tmpfs_dir / "root"
    root.mkdir()
    watcher = choose(str(root), "fanotify", FanotifyGroups(own=frozenset()), no_further_names)
    with station(root, tmpfs_dir / "state", wiring=Wiring(set_barrier=watcher.set_barrier)) as made:
        watcher.start(made.pump.hint)
        try:
            made.synced()
            storm = SystemCallStorm(str(root), seed, limit=150)
            for _ in range(6):
                storm.run(60)
                made.pump.barrier().wait(WAIT)
                assert [] == made.mirror()
        finally:
            watcher.stop()
