"""A device with a filesystem that is written all the time: each consistent commit is, bit for bit, what stood at its freeze."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from agent.capture.device.moment import opened_roots
from agent.capture.device.mounted import filesystems_on, stands_on
from agent.capture.device.opened import aligned_memory, open_device
from agent.capture.device.rhythm import RhythmLimits
from agent.fs.thaw_guard import FreezeRoot, ThawGuard
from agent.watch.blocks.choose import tracker_of
from fakes.background import Background
from fakes.device_station import DeviceStation, device_station
from fakes.eventually import eventually
from fakes.loop_device import attached, sparse
from fakes.loop_image import MAKERS, can_mount, run, unmount

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs root and loop devices")

SIZE = {"ext4": 48 << 20, "xfs": 320 << 20, "btrfs": 128 << 20}


#: The copy is made within the freeze, which takes its time: that is no reason to freeze less often.
LIMITS_HERE = RhythmLimits(share=1.0, deadline=60.0)


class CopyingGuard:
    """A guard that keeps what stood on the device within each freeze, and of what. Satisfies ``FreezingDisks``."""

    def __init__(self, guard: ThawGuard, device: str) -> None:
        self.guard = guard
        self.device = device
        self.stood = b""
        self.names: list[str] = []

    @contextmanager
    def frozen(self, root_fd: int, path: str, seconds: float) -> Iterator[None]:
        """See ``Freezing``."""
        with self.all_frozen([(root_fd, path)], seconds):
            yield

    @contextmanager
    def all_frozen(self, roots: Sequence[FreezeRoot], seconds: float) -> Iterator[None]:
        """See ``FreezingDisks``."""
        with self.guard.all_frozen(roots, seconds):
            self.names = [path for _, path in roots]
            yield
            self.stood = read_whole(self.device)


def read_whole(path: str) -> bytes:
    """What stands on a device, past its cache."""
    device = open_device(path)
    try:
        memory = aligned_memory(device.size)
        device.read(memory, 0)
        return bytes(memory)
    finally:
        device.close()


class Scribbler(Background):
    """Writes, syncs, removes and renames files until the block ends."""

    def __init__(self, root: Path, seed: int) -> None:
        super().__init__("scribbler", 0.002)
        self._root = root
        self._chosen = random.Random(seed)

    def turn(self) -> None:
        chosen = self._chosen
        path = self._root / f"f{chosen.randrange(40)}"
        if chosen.random() < 0.2:
            path.unlink(missing_ok=True)
            return
        with path.open("ab" if chosen.random() < 0.5 else "wb") as file:
            file.write(chosen.randbytes(chosen.randrange(1, 30_000)))
            if chosen.random() < 0.3:
                file.flush()
                os.fsync(file.fileno())


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_each_commit_is_what_stood(kind: str, tmpfs_dir: Path, tmp_path: Path, seed: int) -> None:
    """While files are written without a pause."""
    with attached(sparse(tmpfs_dir / "disk", SIZE[kind])) as device:
        run(*MAKERS[kind], device)
        root = tmpfs_dir / "at"
        root.mkdir()
        run("mount", device, str(root))
        guard = ThawGuard(tmp_path)
        copying = CopyingGuard(guard, device)

        def before(made: DeviceStation) -> None:
            made.guard = copying
            made.filesystems = filesystems_on
            made.opens_tracker = lambda _: tracker_of(device, tmp_path, f"moments-{kind}")

        try:
            with device_station(Path(device), tmp_path / "state", rpo=0.2, limits=LIMITS_HERE, before=before) as made:
                differing: list[int] = []

                def compare() -> None:
                    if made.outlet.commits[-1].consistent and made.image() != copying.stood:
                        differing.append(made.outlet.commits[-1].number)

                made.outlet.on_commit = compare
                with Scribbler(root, seed):
                    eventually(lambda: sum(one.consistent for one in made.outlet.commits) >= 8, 120)
                made.synced()
                assert ([], True) == (differing, made.outlet.commits[-1].consistent)
        finally:
            guard.close()
            run("umount", str(root))


def test_state_on_the_device_itself_is_frozen_with_it(tmpfs_dir: Path, tmp_path: Path, seed: int) -> None:
    """Catalog and local facts stand on the filesystem that is frozen: each commit is what stood, and nothing hangs."""
    with attached(sparse(tmpfs_dir / "disk", 96 << 20)) as device:
        run(*MAKERS["ext4"], device)
        root = tmpfs_dir / "at"
        root.mkdir()
        run("mount", device, str(root))
        guard = ThawGuard(tmp_path)
        copying = CopyingGuard(guard, device)

        def before(made: DeviceStation) -> None:
            made.guard = copying
            made.filesystems = filesystems_on
            made.opens_tracker = lambda _: tracker_of(device, tmp_path, "moments-own")

        try:
            with device_station(Path(device), root / "state", rpo=0.2, limits=LIMITS_HERE, before=before) as made:
                same: list[bool] = []
                made.outlet.on_commit = lambda: same.append(made.image() == copying.stood)
                with Scribbler(root, seed):
                    eventually(lambda: len(same) >= 5, 120)
            assert ({True}, True) == (set(same), stands_on(str(root / "state"), device))
        finally:
            guard.close()
            run("umount", str(root))


def test_what_is_mounted_over_another_is_not_frozen_for_it(tmpfs_dir: Path) -> None:
    """Of a filesystem whose mount point is covered another mount is opened, if there is one; else it is told as not reached."""
    with attached(sparse(tmpfs_dir / "disk", SIZE["ext4"])) as device:
        run(*MAKERS["ext4"], device)
        first, second = tmpfs_dir / "a", tmpfs_dir / "longer"
        first.mkdir()
        second.mkdir()
        run("mount", device, str(first))
        run("mount", "-t", "tmpfs", "over", str(first))
        try:
            with opened_roots(filesystems_on(device), ()) as opened:
                assert ([], [str(first)]) == (opened.roots, opened.unreached)
            assert not stands_on(str(first), device)
            run("mount", device, str(second))
            with opened_roots(filesystems_on(device), ()) as opened:
                ((fd, path),) = opened.roots
                assert (str(second), os.stat(device).st_rdev) == (path, os.fstat(fd).st_dev)
                assert [] == opened.unreached
            assert stands_on(str(second), device)
            run("umount", str(second))
        finally:
            run("umount", str(first))
            run("umount", str(first))


def test_two_filesystems_of_a_disk_stand_in_one_moment(tmpfs_dir: Path, tmp_path: Path, seed: int) -> None:
    """Both are written without a pause, and each commit is what stood on the whole disk within one freeze of both."""
    if not (shutil.which("sfdisk") and shutil.which("partx")):
        pytest.skip("needs sfdisk and partx (fdisk)")
    image = sparse(tmpfs_dir / "disk", 64 << 20)
    table = "label: gpt\nsize=30MiB\nsize=30MiB\n"
    subprocess.run(["sfdisk", "--quiet", str(image)], input=table, text=True, check=True)
    with attached(image) as device, ExitStack() as ending:
        # Not every kernel reads a partition table by itself.
        run("partx", "--add", device)
        ending.callback(run, "partx", "--delete", device)
        roots = [tmpfs_dir / name for name in ("a", "b")]
        for number, root in enumerate(roots, 1):
            node = root.with_suffix(".node")
            major, minor = Path(f"/sys/class/block/{Path(device).name}p{number}/dev").read_text().split(":")
            os.mknod(node, stat.S_IFBLK | 0o600, os.makedev(int(major), int(minor)))
            root.mkdir()
            run(*MAKERS["ext4"], str(node))
            run("mount", str(node), str(root))
            ending.callback(unmount, root)
        guard = ThawGuard(tmp_path)
        ending.callback(guard.close)
        copying = CopyingGuard(guard, device)

        def before(made: DeviceStation) -> None:
            made.guard = copying
            made.filesystems = filesystems_on
            made.opens_tracker = lambda _: tracker_of(device, tmp_path, "moments-two")

        with device_station(Path(device), tmp_path / "state", rpo=0.2, limits=LIMITS_HERE, before=before) as made:
            same: list[bool] = []

            def compare() -> None:
                if made.outlet.commits[-1].consistent:
                    same.append(made.image() == copying.stood and len(copying.names) == 2)

            made.outlet.on_commit = compare
            with Scribbler(roots[0], seed), Scribbler(roots[1], seed + 1):
                eventually(lambda: len(same) >= 5, 120)
            assert ({True}, set(map(str, roots))) == (set(same), set(copying.names))
