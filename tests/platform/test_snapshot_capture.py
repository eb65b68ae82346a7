"""Capture of snapshots on a real btrfs: the commit of a moment equals the snapshot, whatever changes meanwhile, and nothing of it
stays in the tree."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from agent.capture.access.image import ImageLimits
from agent.capture.access.standstill import StandstillLimits
from agent.core.commit import Quiesced
from agent.core.errors import NotPermitted, TryAgain
from agent.core.ids import CommitNumber
from agent.core.rows import key_of
from agent.watch.choose import choose
from agent.watch.fanotify import FanotifyGroups
from agent.watch.hint import Hint, Look, Passing, no_further_names
from fakes.capture_fakes import RecordingOutlet, Station, Wiring, rebuilt, station, unequal
from fakes.loop_image import can_mount, filesystem, run
from fakes.storm import Storm, SystemCallStorm
from fakes.trees import Seen, snapshot

pytestmark = [
    pytest.mark.skipif(
        os.geteuid() != 0 or not can_mount() or shutil.which("mkfs.btrfs") is None,
        reason="needs root, loop devices, btrfs",
    ),
    pytest.mark.timeout(900),
]

MOMENTS = 50 if int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) else 4
WAIT = 120.0
TRIES = StandstillLimits(tries=20, drain=10.0)


class Kept:
    """Copies what the snapshot has of the root as soon as it stands, and has the tree changed before the moment is captured.
    ``copies``: it still does."""

    def __init__(self, root: Path) -> None:
        self.copy: dict[bytes, Seen] = {}
        self.copies = True
        self.set_barrier: Callable[[], Passing] | None = None
        self.change: Callable[[], object] = lambda: None
        self._root = root
        self._moment = root / ".hikae" / "moment"

    def barrier(self) -> Passing:
        """As the watcher's."""
        assert self.set_barrier is not None
        if self.copies and self._moment.exists():
            inside = self._moment / self._root.name
            self.copy = snapshot(str(inside if inside.exists() else self._moment))
            self.change()
        return self.set_barrier()


@contextmanager
def watched(root: Path, state: Path, kept: Kept) -> Iterator[Station]:
    """A station whose tree is followed by events, those of this process too; the first sync is through."""
    watcher = choose(str(root), None, FanotifyGroups(own=frozenset()), no_further_names)
    kept.set_barrier = watcher.set_barrier
    with station(root, state, RecordingOutlet(), wiring=Wiring(set_barrier=kept.barrier)) as made:
        watcher.start(made.pump.hint)
        try:
            made.synced()
            yield made
        finally:
            watcher.stop()


@contextmanager
def busy(storm: Storm) -> Iterator[None]:
    """Somebody changes the tree all the time."""
    ending = threading.Event()

    def go_on() -> None:
        while not ending.wait(0.002):
            storm.run(1)

    thread = threading.Thread(target=go_on, name="busy")
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


@contextmanager
def tmpfs_at(where: Path) -> Iterator[None]:
    """Something is mounted at a directory."""
    run("mount", "-t", "tmpfs", "tmpfs", str(where))
    try:
        yield
    finally:
        run("umount", str(where))


def as_committed(made: Station, number: CommitNumber) -> dict[bytes, Seen]:
    """The tree of one commit."""
    with made.catalog.reader() as reader:
        rows = {key_of(row): row for page in reader.rows_at(number) for row in page}
        commit = reader.commit_at(number)
    assert commit is not None
    assert (Quiesced.CRASH, True) == (commit.provenance.reached, commit.consistent)
    return rebuilt(rows, made.outlet.chunks)


@pytest.mark.parametrize("subvolume", [False, True], ids=["top", "subvolume"])
def test_a_snapshots_commit_is_the_snapshot(subvolume: bool, tmpfs_dir: Path, seed: int) -> None:
    """Every moment equals the copy of its snapshot, whatever came before and after it; what came after is in the commits that
    follow, and no snapshot is left. On the top of the filesystem by fanotify, in a subvolume by inotify."""
    with filesystem("btrfs", tmpfs_dir) as disk:
        root = disk / "root"
        run("btrfs", "subvolume", "create", str(root)) if subvolume else root.mkdir()
        storm = SystemCallStorm(str(root), -1 - seed, limit=120)
        kept = Kept(root)
        kept.change = lambda: storm.run(30)
        with watched(root, disk / "state", kept) as made:
            for moment in range(MOMENTS):
                with busy(SystemCallStorm(str(root), seed + moment, limit=120)):
                    stood = made.pump.snapshot(str(root), TRIES).wait(WAIT)
                assert [] == unequal(kept.copy, as_committed(made, stood.number)), f"moment {moment}"
            # The last snapshot may not be gone yet.
            kept.copies = False
            made.pump.barrier().wait(WAIT)
            made.reconcile()
            assert [] == made.mirror()
        assert [] == [name for name in os.listdir(root / ".hikae") if name == "moment"]


def test_what_no_snapshot_shows(tmpfs_dir: Path) -> None:
    """What is mounted below the root stays the mount that it is, and what it covers stays covered; what is told of another
    subvolume is in no snapshot, which is said, and so is what is too large."""
    with filesystem("btrfs", tmpfs_dir) as disk:
        root = disk / "root"
        (root / "mounted").mkdir(parents=True)
        (root / "mounted" / "covered").write_text("1")
        run("btrfs", "subvolume", "create", str(root / "inner"))
        (root / "inner" / "file").write_text("1")
        (root / "large").write_bytes(os.urandom(200_000))
        kept = Kept(root)
        few = StandstillLimits(ImageLimits(bytes=100_000), tries=2, between=0.01, drain=10.0)
        with tmpfs_at(root / "mounted"), watched(root, disk / "state", kept) as made:
            before = made.problems()
            kept.change = lambda: made.pump.hint([Hint(b"mounted", Look.CHILDREN)])
            stood = made.pump.snapshot(str(root), few).wait(WAIT)
            tree = as_committed(made, stood.number)
            assert (True, False, before) == (b"mounted" in tree, b"mounted/covered" in tree, made.problems())
            for path, told in (
                (b"inner/file", "'inner' is a subvolume of its own"),
                (b"large", "too much changes at once"),
            ):
                kept.change = partial(made.pump.hint, [Hint(path, Look.ENTRY)])
                with pytest.raises(TryAgain, match=f"in 2 tries: {told}"):
                    made.pump.snapshot(str(root), few).wait(WAIT)


def test_of_another_filesystem(tmp_path: Path) -> None:
    """Where no snapshot can be had the reason is told at once, and nothing is left in the tree but our own directory."""
    root = tmp_path / "root"
    root.mkdir()
    with station(root, tmp_path / "state") as made:
        made.synced()
        with pytest.raises(NotPermitted, match="it does not stand on btrfs"):
            made.pump.snapshot(str(root)).wait(WAIT)
    assert [] == os.listdir(root)


def test_little_is_read(tmpfs_dir: Path, rng: random.Random) -> None:
    """A deep tree of which little is read: what did not change is not asked for; that our own directory was made in the root is
    in the root's times."""
    with filesystem("btrfs", tmpfs_dir) as disk:
        root = disk / "root"
        for number in range(60):
            where = root / "/".join(f"d{rng.randrange(4)}" for _ in range(5))
            where.mkdir(parents=True, exist_ok=True)
            (where / f"f{number}").write_bytes(rng.randbytes(rng.randrange(40_000)))
        kept = Kept(root)
        with watched(root, disk / "state", kept) as made:
            read = len(made.outlet.asked) + len(made.outlet.fresh)
            os.utime(root, (1, 1))
            made.pump.barrier().wait(WAIT)
            stood = made.pump.snapshot(str(root), TRIES).wait(WAIT)
            assert [] == unequal(kept.copy, as_committed(made, stood.number))
            assert 0 == len(made.outlet.asked) + len(made.outlet.fresh) - read
