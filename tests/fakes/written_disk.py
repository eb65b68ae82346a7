"""A loop device in memory that is written to at random, and what of it changed."""

from __future__ import annotations

import fcntl
import mmap
import os
import random
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from agent.core.chunks import DEVICE_CHUNK
from agent.watch.blocks.dirty_map import SECTOR
from agent.watch.blocks.ports import DirtyExtent
from fakes.eventually import eventually
from fakes.loop_device import attached, sparse
from fakes.loop_image import run

_BLKDISCARD, _BLKZEROOUT = 0x1277, 0x127F
_BLOCK = 4096

needs_tracepoints = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/sys/kernel/tracing").is_dir() or not Path("/dev/loop-control").exists(),
    reason="block tracepoints need root, tracefs and loop devices",
)

needs_zram = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/sys/class/zram-control").is_dir(),
    reason="a disk without requests needs root and zram",
)


def content(device: str) -> bytes:
    """What the device holds now, past the page cache."""
    fd = os.open(device, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    try:
        size = os.lseek(fd, 0, os.SEEK_END)
        with mmap.mmap(-1, size) as aligned:
            at = 0
            while at < size:
                at += os.preadv(fd, [memoryview(aligned)[at:]], at)
            return bytes(aligned)
    finally:
        os.close(fd)


def uncovered(before: bytes, after: bytes, extents: tuple[DirtyExtent, ...]) -> list[int]:
    """Offsets of the sectors that differ, and that no extent covers."""
    covered = bytearray(len(after) // SECTOR)
    for start, end in extents:
        covered[start // SECTOR : -(-end // SECTOR)] = b"\1" * (-(-end // SECTOR) - start // SECTOR)
    old, new = memoryview(before), memoryview(after)
    return [
        sector * SECTOR
        for chunk in range(0, len(after), DEVICE_CHUNK)
        if old[chunk : chunk + DEVICE_CHUNK] != new[chunk : chunk + DEVICE_CHUNK]
        for sector in range(chunk // SECTOR, min(chunk + DEVICE_CHUNK, len(after)) // SECTOR)
        if old[sector * SECTOR : (sector + 1) * SECTOR] != new[sector * SECTOR : (sector + 1) * SECTOR]
        and not covered[sector]
    ]


class RandomWriter:
    """Writes to a device: directly, through the page cache, discards, zeroes."""

    def __init__(self, device: str, rng: random.Random) -> None:
        self._rng = rng
        self._direct = os.open(device, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        self._cached = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        self._size = os.lseek(self._cached, 0, os.SEEK_END)
        self._aligned = mmap.mmap(-1, 1 << 18)

    def close(self) -> None:
        """Everything written is on the device."""
        self.settle()
        os.close(self._direct)
        os.close(self._cached)
        self._aligned.close()

    def settle(self) -> None:
        """Write back what the page cache holds."""
        os.fsync(self._cached)

    def write(self) -> None:
        """One random write."""
        self._rng.choice((self._directly, self._directly, self._through_cache, self._discard, self._zero))()

    def fast(self, count: int) -> None:
        """Many small direct writes, one after another."""
        blocks = self._size // _BLOCK
        self._aligned[:_BLOCK] = self._rng.randbytes(_BLOCK)
        view = memoryview(self._aligned)[:_BLOCK]
        for _ in range(count):
            os.pwritev(self._direct, [view], self._rng.randrange(blocks) * _BLOCK)

    def _directly(self) -> None:
        length = _BLOCK * self._rng.choice((1, 1, 1, 4, 40))
        self._aligned[:length] = self._rng.randbytes(length)
        offset = self._rng.randrange(0, self._size - length, _BLOCK)
        os.pwritev(self._direct, [memoryview(self._aligned)[:length]], offset)

    def _through_cache(self) -> None:
        length = self._rng.randrange(1, 30_000)
        os.pwrite(self._cached, self._rng.randbytes(length), self._rng.randrange(self._size - length))

    def _discard(self) -> None:
        self._range(_BLKDISCARD)

    def _zero(self) -> None:
        self._range(_BLKZEROOUT)

    def _range(self, request: int) -> None:
        length = _BLOCK * self._rng.randrange(1, 500)
        offset = self._rng.randrange(0, self._size - length, _BLOCK)
        with suppress(OSError):
            fcntl.ioctl(self._direct, request, struct.pack("=QQ", offset, length))


@contextmanager
def random_writer(device: str, rng: random.Random) -> Iterator[RandomWriter]:
    """A writer for as long as the block lasts."""
    writer = RandomWriter(device, rng)
    try:
        yield writer
    finally:
        writer.close()


@contextmanager
def loop_of(directory: Path, mebibytes: int) -> Iterator[str]:
    """A loop device over a sparse file."""
    with attached(sparse(directory / "tracked.img", mebibytes << 20)) as device:
        yield device


@contextmanager
def memory_disk(mebibytes: int) -> Iterator[str]:
    """A zram device, which tells of bios alone, as LVM and md do."""
    number = Path("/sys/class/zram-control/hot_add").read_text().strip()
    sysfs, device = Path(f"/sys/block/zram{number}"), Path(f"/dev/zram{number}")
    try:
        (sysfs / "disksize").write_text(f"{mebibytes}M")
        if not device.exists():
            major, minor = (sysfs / "dev").read_text().split(":")
            os.mknod(device, 0o600 | 0o060000, os.makedev(int(major), int(minor)))
        yield str(device)
    finally:
        Path("/sys/class/zram-control/hot_remove").write_text(number)
        device.unlink(missing_ok=True)


def _removed(disk: str, number: int) -> bool:
    return subprocess.run(("delpart", disk, str(number)), capture_output=True, check=False).returncode == 0


@contextmanager
def partitions_of(disk: str, *mebibytes: int) -> Iterator[list[str]]:
    """Partitions of a disk, one behind the other, that do not begin at whole chunks; no partition table is needed."""
    made, first = [], 2048 + 8
    node = Path(disk).name
    try:
        for number, size in enumerate(mebibytes, 1):
            run("addpart", disk, str(number), str(first), str(size << 11))
            first += (size << 11) + 8
            device = Path(f"/dev/{node}p{number}")
            if not device.exists():
                major, minor = Path(f"/sys/class/block/{node}p{number}/dev").read_text().split(":")
                os.mknod(device, 0o600 | 0o060000, os.makedev(int(major), int(minor)))
            made.append(str(device))
        yield made
    finally:
        for number, _ in enumerate(made, 1):
            # Another test's mount namespace may hold a copy of a mount for a moment.
            eventually(partial(_removed, disk, number))
            Path(f"/dev/{node}p{number}").unlink(missing_ok=True)
