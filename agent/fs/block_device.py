"""Whose is a block device? How long it is, and who uses it.

The kernel's own claim decides: an exclusive open fails while the device, its disk, or a partition of it is mounted, swapped to,
part of a stack of devices, or held by another program in the same way. Who that is is looked up afterwards, for words. What
stands on it through a loop device claims nothing, so that is looked for before.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import HikaeError, NotFound, NotPermitted, Refused
from agent.fs.content import pwrite_all

#: linux/fs.h: a device's length in bytes, a u64.
_BLKGETSIZE64 = 0x80081272
#: Whether it is read-only, an int: who opens it for writing learns that only when he writes.
_BLKROGET = 0x125E
#: Makes a range read as zeros: two u64, offset and length, in whole sectors.
_BLKZEROOUT = 0x127F
_ZEROS = bytes(1 << 20)
#: The major number of a filesystem that stands on no device of its own number, in mountinfo.
NO_DEVICE = b"0"
#: Loop devices on files on loop devices that are looked below.
_DEEPEST = 8
_DEVICES = "/dev"
_NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True, slots=True)
class BlockPlaces:
    """Where the kernel tells of devices; tests have their own."""

    devices: Path = Path("/sys/dev/block")
    blocks: Path = Path("/sys/block")
    mounts: Path = Path("/proc/self/mountinfo")
    swaps: Path = Path("/proc/swaps")


def is_block_device(path: str) -> bool:
    """Whether a path leads to one; False where it leads nowhere."""
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False


def is_among_devices(path: str) -> bool:
    """Whether a file at a path stands, or would stand, where the kernel shows its devices: in memory, and gone with the next
    start."""
    above = os.path.dirname(os.path.abspath(path))
    try:
        return os.stat(above).st_dev == os.stat(_DEVICES).st_dev
    except OSError:
        return above == _DEVICES or above.startswith(f"{_DEVICES}/")


def device_length(fd: int) -> int:
    """Bytes of an open block device or regular file. OSError."""
    st = os.fstat(fd)
    if not stat.S_ISBLK(st.st_mode):
        return st.st_size
    length: int = struct.unpack("=Q", fcntl.ioctl(fd, _BLKGETSIZE64, bytes(8)))[0]
    return length


def zero_range(fd: int, offset: int, length: int) -> None:
    """Make a range of an open block device read as zeros, by the device itself where it can. OSError."""
    try:
        fcntl.ioctl(fd, _BLKZEROOUT, struct.pack("=QQ", offset, length))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTTY):
            raise
        for at in range(offset, offset + length, len(_ZEROS)):
            pwrite_all(fd, memoryview(_ZEROS)[: min(len(_ZEROS), offset + length - at)], at)


def open_claimed(path: str, operation: str, places: BlockPlaces | None = None) -> int:
    """Open a block device for reading and writing, so that nobody else can claim it until it is closed.

    Raises ``Refused`` where somebody uses it, with who; ``NotFound``, ``NotPermitted``."""
    places = places or BlockPlaces()
    if through := standing_on(path, places):
        raise in_use(operation, path, through)
    try:
        fd = os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        raise _not_opened(error, path, operation, places) from error
    if struct.unpack("=i", fcntl.ioctl(fd, _BLKROGET, bytes(4)))[0]:
        os.close(fd)
        raise NotPermitted(operation, path, "it is read-only", f"blockdev --setrw {path}, or name another device")
    return fd


def in_use(operation: str, path: str, by: str) -> Refused:
    """Nothing is written over what somebody uses."""
    return Refused(operation, path, f"it is in use: {by}", "end that use, or name another device")


def _not_opened(error: OSError, path: str, operation: str, places: BlockPlaces) -> HikaeError:
    if error.errno == errno.EBUSY:
        by = used_by(path, places) or f"a program holds it (fuser -v {path} may say which)"
        return in_use(operation, path, by)
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return NotFound(operation, path, "there is no such device", "lsblk shows those that there are")
    if error.errno in _NO_ACCESS:
        return NotPermitted(operation, path, f"it may not be written to ({reason})", "use sudo")
    return HikaeError(operation, path, reason, "see the kernel log (dmesg)")


def used_by(path: str, places: BlockPlaces) -> str:
    """Who uses a block device, its disk or a partition of it, in words; "" where that cannot be seen."""
    for number, name in _family(os.stat(path).st_rdev, places):
        for use in (*_mounted(number, name, places), *_swapped(number, name, places), *_held(number, name, places)):
            return use
    return standing_on(path, places)


def standing_on(path: str, places: BlockPlaces) -> str:
    """The loop device that has this file or block device below it, in words; "" for none."""
    for loop in loops_on(path, places):
        name, number = f"/dev/{loop.name}", _number_in(loop)
        where = next(_mounted(number, name, places), "") if number is not None else ""
        return where or f"{name} stands on it (losetup -d {name} takes that away)"
    return ""


def lies_below(path: str, places: BlockPlaces) -> Iterator[str]:
    """The files and devices below a loop device, one below the other; none for anything else."""
    for _ in range(_DEEPEST):
        try:
            st = os.stat(path)
            own = places.devices / f"{os.major(st.st_rdev)}:{os.minor(st.st_rdev)}"
            disk = own.resolve().parent if (own / "partition").exists() else own
            if not stat.S_ISBLK(st.st_mode):
                return
            path = os.path.realpath((disk / "loop" / "backing_file").read_text().rstrip("\n"))
        except OSError:
            return
        yield path


def loops_on(path: str, places: BlockPlaces) -> Iterator[Path]:
    """The loop devices, as directories of sysfs, that have this file or block device below them."""
    try:
        wanted = os.stat(path)
    except OSError:
        return
    for loop in sorted(places.blocks.glob("loop*")):
        try:
            below = os.stat((loop / "loop" / "backing_file").read_text().rstrip("\n"))
        except OSError:
            continue  # Not attached, or its file is gone.
        is_device = stat.S_ISBLK(wanted.st_mode) and below.st_rdev == wanted.st_rdev
        if is_device or (below.st_dev, below.st_ino) == (wanted.st_dev, wanted.st_ino):
            yield loop


def _family(number: int, places: BlockPlaces) -> Iterator[tuple[int, str]]:
    """The device, and its partitions, or the disk that it is a partition of: each number with the device's path."""
    try:
        own = (places.devices / f"{os.major(number)}:{os.minor(number)}").resolve(strict=True)
    except OSError:
        return
    disk = own.parent if (own / "partition").exists() else own
    # Of a partition its siblings do not count: they may be used beside it.
    members = [own, *(one.parent for one in sorted(disk.glob("*/partition")))] if own == disk else [own, disk]
    for member in members:
        found = _number_in(member)
        if found is not None:
            yield found, f"/dev/{member.name}"


def _number_in(directory: Path) -> int | None:
    try:
        major, minor = (directory / "dev").read_text().split(":")
        return os.makedev(int(major), int(minor))
    except (OSError, ValueError):
        return None


def _mounted(number: int, name: str, places: BlockPlaces) -> Iterator[str]:
    told = f"{os.major(number)}:{os.minor(number)}"
    for line in places.mounts.read_bytes().splitlines():
        words = line.split(b" ")
        source = words[words.index(b"-") + 2] if b"-" in words else b""
        # btrfs has numbers of its own, and names its device.
        anonymous = words[2].startswith(NO_DEVICE + b":")
        if words[2].decode() == told or (anonymous and _is_device(source, number)):
            where = os.fsdecode(words[4])
            yield f"{name} is mounted at {where} (umount {where})"


def _is_device(source: bytes, number: int) -> bool:
    try:
        st = os.stat(source)
    except (OSError, ValueError):
        return False
    return stat.S_ISBLK(st.st_mode) and st.st_rdev == number


def _swapped(number: int, name: str, places: BlockPlaces) -> Iterator[str]:
    try:
        lines = places.swaps.read_bytes().splitlines()[1:]
    except OSError:
        return
    if any(_is_device(line.split()[0], number) for line in lines):
        yield f"the system swaps to {name} (swapoff {name})"


def _held(number: int, name: str, places: BlockPlaces) -> Iterator[str]:
    try:
        holders = sorted(os.listdir(places.devices / f"{os.major(number)}:{os.minor(number)}" / "holders"))
    except OSError:
        return
    if holders:
        yield f"{', '.join(holders)} is made of {name}"
