"""What may have been missed stays owed until a read that began later has covered it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.capture.device.mounted import MountedFilesystem, mount_number
from agent.capture.device.opened import SourceDevice, open_device
from agent.core.errors import TryAgain
from agent.core.ids import ObjectId
from agent.core.problem_codes import NOT_STILL
from agent.fs.durable import timestamp_grain_ns
from agent.watch.blocks.image_file import ImageFileTracker
from agent.watch.blocks.ports import DirtyExtent
from fakes.device_station import CHUNK, WAIT, BadPlaces, DeviceStation, device_station, image_of, wait_for
from fakes.tracked import UntoldTracker


class WrittenBehind(SourceDevice):
    """An image at whose beginning is written as soon as its end was read, so often; ``told`` is called then, and ``began`` has
    when a look began to read."""

    def __init__(self, path: str, times: int, told: Callable[[], None]) -> None:
        found = open_device(path)
        super().__init__(path, found.fd, found.size, is_block=False)
        self.left = times
        self.began: list[float] = []
        self._told = told

    def read(self, into: memoryview, offset: int) -> int:
        """See ``ReadsDevice``."""
        if not offset and len(into) > CHUNK:
            self.began.append(time.monotonic())
        got = super().read(into, offset)
        if offset and offset + got == self.size and self.left:
            self.left -= 1
            write(Path(self.path), os.urandom(16))
            self._told()
        return got


def write(path: Path, data: bytes) -> None:
    """At the beginning of an image; its times move."""
    before = path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == before:
        with path.open("r+b") as file:
            file.write(data)
            os.fsync(file.fileno())


def settled(path: Path) -> None:
    """Wait until a later write moves the times of a file for sure."""
    with path.open("rb") as file:
        grain = timestamp_grain_ns(file.fileno())
    wait_for(lambda: path.stat().st_ctime_ns + grain < time.time_ns())


def follows_by_times(made: DeviceStation) -> None:
    """With the tracker that a raw image has."""
    made.opens_tracker = lambda device: ImageFileTracker(device.path, None, interval=0.02)


@pytest.mark.parametrize("is_image", [False, True])
def test_what_was_written_during_every_look_stays_owed(tmp_path: Path, is_image: bool) -> None:
    """It is committed as it was read, and the next commit that is consistent holds it."""
    image_of(tmp_path / "image", 64 * CHUNK, chunks=range(1, 65))

    def before(made: DeviceStation) -> None:
        told = (lambda: settled(made.path)) if is_image else (lambda: made.tracker.lost("an overrun"))
        device = WrittenBehind(str(made.path), 2, told)
        made.opens = lambda _: device
        if is_image:
            follows_by_times(made)

    with device_station(tmp_path / "image", tmp_path / "state", before=before) as made:
        wait_for(lambda: bool(made.outlet.commits) and made.outlet.commits[-1].consistent)
        assert made.path.read_bytes() == made.image()


def test_what_waits_counts_from_the_beginning_of_the_look(tmp_path: Path) -> None:
    """What a commit holds that is no moment was read from then on; it is committed again, without anybody's word."""
    image_of(tmp_path / "image", 64 * CHUNK, chunks=range(1, 65))
    devices: list[WrittenBehind] = []

    def before(made: DeviceStation) -> None:
        devices.append(WrittenBehind(str(made.path), 2, lambda: made.tracker.lost("an overrun")))
        made.opens = lambda _: devices[0]

    with device_station(tmp_path / "image", tmp_path / "state", rpo=1000.0, before=before) as made:
        wait_for(lambda: bool(made.outlet.commits))
        made.pump.between_commits(lambda _: None, then_ends=False)
        put_off, now = made.pump.facts().put_off, time.monotonic()
        assert (False, 2) == (made.outlet.commits[-1].consistent, len(devices[0].began))
        assert now - put_off <= devices[0].began[-1]
        made.synced()
        assert (True, made.path.read_bytes()) == (made.outlet.commits[-1].consistent, made.image())
        assert made.outlet.since[-1] <= devices[0].began[1]


def test_a_look_that_goes_on_says_nothing_of_what_it_has_not_read(tmp_path: Path) -> None:
    """A commit in the midst of it waits for its end, also where nothing was written since it began."""
    image_of(tmp_path / "image", 64 * CHUNK, chunks=range(1, 65))
    with device_station(tmp_path / "image", tmp_path / "state", before=follows_by_times) as made:
        made.synced()
        made.outlet.has.clear()
        write(made.path, b"new")
        made.pump.reconcile("test")
        for _ in range(3):
            made.pump.between_commits(lambda _: None, then_ends=False)
        barrier = made.pump.barrier()
        for _ in range(3):
            made.pump.between_commits(lambda _: None, then_ends=False)
        with pytest.raises(TryAgain):
            barrier.wait(0.0)
        made.outlet.has.set()
        barrier.wait(WAIT)
        assert made.path.read_bytes() == made.image()


def test_a_chunk_that_is_asked_for_is_read_where_nothing_is_told(tmp_path: Path) -> None:
    """Who waits for it is answered when it was read, also where nothing was written since the last look."""
    image_of(tmp_path / "image", 64 * CHUNK, chunks=range(1, 65))
    bad = {20}

    def before(made: DeviceStation) -> None:
        made.opens = lambda path: BadPlaces(path, bad)
        made.opens_tracker = lambda device: UntoldTracker(device.size)

    with device_station(tmp_path / "image", tmp_path / "state", before=before) as made:
        made.synced()
        bad.clear()
        made.pump.look_again([ObjectId(20)]).wait(WAIT)
        assert made.path.read_bytes() == made.image()


class WrittenWhileFrozen(SourceDevice):
    """An image that is written behind the back of who froze what stands on it, once, while it is read: ``told`` writes."""

    def __init__(self, made: DeviceStation, writes: Callable[[], None]) -> None:
        found = open_device(str(made.path))
        super().__init__(str(made.path), found.fd, found.size, is_block=False)
        self._made = made
        self.writes: Callable[[], None] | None = writes
        self.is_armed = False

    def read(self, into: memoryview, offset: int) -> int:
        """See ``ReadsDevice``."""
        got = super().read(into, offset)
        if self._made.disk_guard.stands and self.is_armed and self.writes is not None:
            writes, self.writes = self.writes, None
            writes()
        return got


@pytest.mark.parametrize(("where", "swaps", "freezes"), [(40, [], 2), (40, [(40, 50)], 1), (4, [], 1)])
def test_what_is_used_raw_beside_a_frozen_filesystem(
    tmp_path: Path, where: int, swaps: list[tuple[int, int]], freezes: int
) -> None:
    """A write to it while it is read makes the moment none. One to the part of what is frozen, or swapped to, is none of them."""
    image_of(tmp_path / "image", 64 * CHUNK, chunks=range(1, 65))
    devices: list[WrittenWhileFrozen] = []

    def before(made: DeviceStation) -> None:
        devices.append(WrittenWhileFrozen(made, lambda: made.write(where * CHUNK, b"behind")))
        made.opens = lambda _: devices[0]

    with device_station(tmp_path / "image", tmp_path / "state", rpo=1000.0, before=before) as made:
        made.synced()
        part = DirtyExtent(0, 32 * CHUNK)
        made.mounted = [MountedFilesystem(str(tmp_path), "ext4", read_only=False, part=part)]
        made.swaps = [DirtyExtent(first * CHUNK, end * CHUNK) for first, end in swaps]
        devices[0].is_armed = True
        made.write(0, b"new")
        made.synced()
        assert (freezes, True) == (made.disk_guard.times, made.outlet.commits[-1].consistent)
        # Whatever was written is owed, and comes by itself.
        made.synced()
        assert made.path.read_bytes() == made.image()


def test_a_filesystem_to_which_no_path_leads(tmp_path: Path) -> None:
    """What is mounted over it is not frozen in its place; it is said, and a write while it is read makes the moment none."""
    image_of(tmp_path / "image", 64 * CHUNK, chunks=range(1, 65))
    devices: list[WrittenWhileFrozen] = []

    def before(made: DeviceStation) -> None:
        devices.append(WrittenWhileFrozen(made, lambda: made.write(4 * CHUNK, b"behind")))
        made.opens = lambda _: devices[0]

    with device_station(tmp_path / "image", tmp_path / "state", rpo=1000.0, before=before) as made:
        made.synced()
        below, beside = tmp_path / "below", tmp_path / "beside"
        below.mkdir()
        beside.mkdir()
        fd = os.open(beside, os.O_RDONLY)
        reached = MountedFilesystem(
            str(beside), "ext4", False, DirtyExtent(60 * CHUNK, 64 * CHUNK), ((mount_number(fd), str(beside)),)
        )
        os.close(fd)
        whole = DirtyExtent(0, 60 * CHUNK)
        made.mounted = [MountedFilesystem(str(below), "ext4", False, whole, ((-7, str(below)),)), reached]
        devices[0].is_armed = True
        made.write(0, b"new")
        made.synced()
        assert (2, True) == (made.disk_guard.times, made.outlet.commits[-1].consistent)
        (problem,) = [one for one in made.board.listed()[0] if one.code == NOT_STILL]
        assert [True, False] == [str(one) in problem.message for one in (below, beside)]
        made.mounted = [reached]
        made.synced()
        assert [] == [one for one in made.board.listed()[0] if one.code == NOT_STILL]


def test_what_is_mounted_cannot_be_seen(tmp_path: Path) -> None:
    """It is said, nothing is committed, and it goes on once it can."""
    image_of(tmp_path / "image", 8 * CHUNK, chunks=range(1, 9))
    with device_station(tmp_path / "image", tmp_path / "state", rpo=0.0) as made:
        made.synced()
        seen = made.filesystems

        def unseen(_: str) -> list[MountedFilesystem]:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        made.filesystems = unseen
        made.write(0, b"new")
        wait_for(lambda: NOT_STILL in [one.code for one in made.board.listed()[0]])
        made.filesystems = seen
        wait_for(lambda: made.image() == made.path.read_bytes() and not made.failed)


class SeenReads(SourceDevice):
    """An image of which each read is noted: the first chunk, and how many."""

    def __init__(self, path: str) -> None:
        found = open_device(path)
        super().__init__(path, found.fd, found.size, is_block=False)
        self.reads: list[tuple[int, int]] = []

    def read(self, into: memoryview, offset: int) -> int:
        """See ``ReadsDevice``."""
        got = super().read(into, offset)
        self.reads.append((offset // CHUNK + 1, len(into) // CHUNK))
        return got


def test_what_a_look_read_before_a_commit_does_not_undo_it(tmp_path: Path) -> None:
    """It has read ahead, and waits for room at its peers; what is written there meanwhile is committed. What it read is older."""
    image_of(tmp_path / "image", 64 * CHUNK, chunks=range(1, 65))
    opened: list[SeenReads] = []

    def before(made: DeviceStation) -> None:
        def opens(path: str) -> SourceDevice:
            opened.append(SeenReads(path))
            return opened[-1]

        made.opens = opens

    with device_station(tmp_path / "image", tmp_path / "state", rpo=0.05, before=before) as made:
        made.synced()
        made.outlet.has.clear()
        opened[-1].reads.clear()
        made.pump.reconcile("test")
        wait_for(lambda: (17, 16) in opened[-1].reads)
        made.write(19 * CHUNK, b"NEW" * 100)
        made.synced()
        made.outlet.has.set()
        wait_for(lambda: made.pump.facts().phase.name != "RECONCILE")
        made.synced()
        assert made.image() == made.path.read_bytes()
