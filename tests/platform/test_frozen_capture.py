"""Frozen capture on real filesystems: the commit of a moment equals a copy that was made while it stood still, with the agent's
own state on the same filesystem and somebody changing the tree all the time."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.capture.access.standstill import StandstillLimits
from agent.core.commit import Quiesced
from agent.core.ids import CommitNumber
from agent.core.rows import key_of
from agent.fs.thaw_guard import ThawGuard
from agent.watch.choose import choose
from agent.watch.fanotify import FanotifyGroups
from agent.watch.hint import no_further_names
from fakes.background import Background
from fakes.capture_fakes import RecordingOutlet, Station, Wiring, rebuilt, station, unequal
from fakes.loop_image import can_mount, filesystem
from fakes.storm import SystemCallStorm
from fakes.trees import Seen, snapshot, without_holes

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs root and loop devices"),
    pytest.mark.timeout(900),
]

MOMENTS = 100 if int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) else 6
WAIT = 120.0


class CopyingGuard:
    """Freezes by a real guard, and copies the tree while it stands still; as soon as it is thawed much of it changes. Satisfies
    ``Freezing``."""

    def __init__(self, guard: ThawGuard, root: Path, rng: random.Random) -> None:
        self._guard = guard
        self._root = root
        self._rng = rng
        self.copy: dict[bytes, Seen] = {}
        self.times = 0

    @contextmanager
    def frozen(self, root_fd: int, path: str, seconds: float) -> Iterator[None]:
        """See ``Freezing``."""
        with self._guard.frozen(root_fd, path, seconds):
            self.copy = snapshot(str(self._root))
            self.times += 1
            yield
        for changed in self._rng.sample(sorted(self.copy), len(self.copy) // 3):
            self._change(os.fsencode(self._root) + b"/" + changed)

    def _change(self, path: bytes) -> None:
        try:
            st = os.lstat(path)
            if stat.S_ISREG(st.st_mode) and self._rng.random() < 0.8:
                fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
                os.pwrite(fd, b"after the thaw", self._rng.randrange(st.st_size + 1))
                os.close(fd)
            elif stat.S_ISREG(st.st_mode):
                os.unlink(path)
            elif stat.S_ISDIR(st.st_mode) and self._rng.random() < 0.3:
                os.rename(path, path + b"moved")
        except OSError:
            return  # the storm was there first


class Busy(Background):
    """Somebody who changes a tree until it is told to stop."""

    def __init__(self, root: Path, seed: int) -> None:
        super().__init__("busy", 0.002)
        self._storm = SystemCallStorm(str(root), seed, limit=120)

    def turn(self) -> None:
        self._storm.run(1)


@contextmanager
def watched(root: Path, state: Path) -> Iterator[Station]:
    """A station whose tree is followed by events, those of this process too; the first sync is through."""
    watcher = choose(str(root), "fanotify", FanotifyGroups(own=frozenset()), no_further_names)
    with station(root, state, RecordingOutlet(), wiring=Wiring(set_barrier=watcher.set_barrier)) as made:
        watcher.start(made.pump.hint)
        try:
            made.synced()
            yield made
        finally:
            watcher.stop()


def as_committed(made: Station, number: CommitNumber) -> dict[bytes, Seen]:
    """The tree of one commit."""
    with made.catalog.reader() as reader:
        rows = {key_of(row): row for page in reader.rows_at(number) for row in page}
    return rebuilt(rows, made.outlet.chunks)


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_frozen_commit_is_the_frozen_tree(
    kind: str, tmpfs_dir: Path, tmp_path: Path, seed: int, rng: random.Random
) -> None:
    """Every moment that was captured equals the copy, whatever changed right before and after it."""
    with filesystem(kind, tmpfs_dir) as disk:
        root = disk / "root"
        root.mkdir()
        guard = ThawGuard(tmp_path)
        tries = stalls = 0.0
        try:
            with watched(root, disk / "state") as made, Busy(root, seed):
                for moment in range(MOMENTS):
                    copying = CopyingGuard(guard, root, rng)
                    asked = made.pump.stand_still(copying, str(root), StandstillLimits(tries=40))
                    stood = asked.wait(WAIT)
                    pairs = without_holes(copying.copy), without_holes(as_committed(made, stood.number))
                    assert [] == unequal(*pairs), f"moment {moment}"
                    with made.catalog.reader() as reader:
                        commit = reader.commit_at(stood.number)
                    assert commit is not None
                    assert (Quiesced.CRASH, True) == (commit.provenance.reached, commit.consistent)
                    tries, stalls = tries + copying.times, max(stalls, stood.seconds)
        finally:
            guard.close()
        print(f"\n{kind}: {MOMENTS} moments in {tries:.0f} freezes, longest {stalls * 1000:.0f} ms with the copy")
