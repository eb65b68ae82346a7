"""Which filesystems stand on a device: what is frozen, so that nothing on it changes.

All that counts is the device itself, the partitions on it, and whatever is stacked on these (LVM, md, a loop over an image):
each is a device with a number, and a mount names one. A filesystem that is mounted several times is frozen once.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from agent.fs.block_device import NO_DEVICE, BlockPlaces, loops_on
from agent.watch.blocks.dirty_map import SECTOR
from agent.watch.blocks.ports import DirtyExtent

#: mountinfo writes blanks and the like as three octal digits (proc(5)).
_OCTAL = re.compile(rb"\\([0-7]{3})")
_DEEPEST = 16
#: Where this kernel tells of devices.
PLACES = BlockPlaces()


@dataclass(frozen=True, slots=True)
class MountedFilesystem:
    """A filesystem of a device: where it is mounted, its type, whether it takes no writes; ``part``: the bytes of the device on
    which it stands, None where that is not known, as of what is stacked on it. ``mounts``: the kernel's number and the path of
    each of its mounts; a path leads elsewhere once something else is mounted over it."""

    point: str
    type: str
    read_only: bool
    part: DirtyExtent | None = None
    mounts: tuple[tuple[int, str], ...] = ()

    @property
    def numbers(self) -> frozenset[int]:
        """The kernel's numbers of its mounts."""
        return frozenset(number for number, _ in self.mounts)

    def opened(self) -> tuple[int, str] | None:
        """A directory of it, open, and the path that leads there; None where none does."""
        for point in dict.fromkeys((self.point, *(point for _, point in self.mounts))):
            # A container has files of it at most: they freeze it as well.
            what = os.O_NONBLOCK if os.path.isfile(point) else os.O_DIRECTORY
            try:
                fd = os.open(point, os.O_RDONLY | what | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                if not self.mounts or mount_number(fd) in self.numbers:
                    return fd, point
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)
        return None


def mount_number(fd: int) -> int:
    """The kernel's number of the mount through which something is open; -1 where it does not tell."""
    told = Path(f"/proc/self/fdinfo/{fd}").read_text().split()
    return int(told[told.index("mnt_id:") + 1]) if "mnt_id:" in told else -1


def numbers_above(path: str, places: BlockPlaces = PLACES) -> frozenset[int]:
    """The device numbers of what stands at ``path``, and of all that stands on it. ``OSError``."""
    found: set[int] = set()
    st = os.stat(path)
    if st.st_rdev:
        _gather(_directory(st.st_rdev, places), found, 0)
    for loop in loops_on(path, places):
        _gather(loop, found, 0)
    return frozenset(found)


def filesystems_on(path: str, places: BlockPlaces = PLACES) -> list[MountedFilesystem]:
    """Those that this process sees mounted, deepest first and ``/`` last: so they are frozen. ``OSError``."""
    numbers, parts = numbers_above(path, places), _parts(path, places)
    found: dict[bytes, MountedFilesystem] = {}
    mounts: dict[bytes, list[tuple[int, str]]] = {}
    for line in places.mounts.read_bytes().splitlines():
        words = line.split(b" ")
        if b"-" not in words:
            continue
        type_, source, options = words[words.index(b"-") + 1 :][:3]
        its = numbers.intersection(_numbers_in(words[2], source))
        if not its:
            continue
        mount = int(words[0]), _text(words[4])
        mounts.setdefault(words[2], []).append(mount)
        if words[2] not in found:
            part = next((parts[number] for number in its if number in parts), None)
            is_read_only = b"ro" in options.split(b",")
            found[words[2]] = MountedFilesystem(mount[1], os.fsdecode(type_), is_read_only, part, (mount,))
    named = (_with(one, tuple(mounts[number])) for number, one in found.items())
    return sorted(named, key=lambda one: (-one.point.count("/"), one.point == "/", one.point))


def _with(one: MountedFilesystem, mounts: tuple[tuple[int, str], ...]) -> MountedFilesystem:
    """The same, with all its mounts: it goes by the shortest path of a directory."""
    named = min((point for _, point in mounts), key=lambda point: (not os.path.isdir(point), len(point)))
    return replace(one, point=named, mounts=mounts)


def swaps_on(path: str, places: BlockPlaces = PLACES) -> list[DirtyExtent]:
    """The bytes of a device to which the system swaps: what stands there is nothing to who starts from a copy. ``OSError``."""
    parts = _parts(path, places)
    found: list[DirtyExtent] = []
    try:
        lines = places.swaps.read_bytes().splitlines()[1:]
    except OSError:
        return []
    for line in lines:
        with suppress(OSError):
            below = _below(os.stat(_text(line.split()[0])).st_rdev, places)
            found += [parts[number] for number in below if number in parts]
    return found


def _below(number: int, places: BlockPlaces) -> Iterator[int]:
    """A block device and all that it is made of. Of what LVM or an encryption made, which bytes below are its own is not known:
    all of what lies below counts as its own."""
    yield number
    for slave in sorted((_directory(number, places) / "slaves").glob("*")):
        with suppress(OSError, ValueError):
            major, minor = (slave / "dev").read_text().split(":")
            yield from _below(os.makedev(int(major), int(minor)), places)


def stands_on(directory: str, path: str, places: BlockPlaces = PLACES) -> bool:
    """Whether a directory lies on a filesystem of the device at ``path``, as far as both are there."""
    try:
        fd = os.open(directory, os.O_PATH | os.O_CLOEXEC)
        try:
            number = mount_number(fd)
        finally:
            os.close(fd)
        return any(number in one.numbers for one in filesystems_on(path, places))
    except OSError:
        return False


def _numbers_in(number: bytes, source: bytes) -> Iterator[int]:
    """The device that a line names by its number; where that is no device's, as btrfs has numbers of its own, by the path of its
    source. Such a path is as whoever mounted it saw it: to others, in a container, it may lead to another device."""
    major, _, minor = number.partition(b":")
    yield os.makedev(int(major), int(minor))
    if major == NO_DEVICE and source.startswith(b"/"):
        with suppress(OSError):
            yield os.stat(_text(source)).st_rdev


def _parts(path: str, places: BlockPlaces) -> dict[int, DirtyExtent]:
    """A device itself and its partitions, by number: which bytes of it they are."""
    number = os.stat(path).st_rdev
    if not number:
        return {}
    found = {number: DirtyExtent(0, sys.maxsize)}
    for one in _directory(number, places).resolve().glob("*/partition"):
        with suppress(OSError, ValueError):
            major, minor = (one.parent / "dev").read_text().split(":")
            start, count = (int((one.parent / name).read_text()) for name in ("start", "size"))
            found[os.makedev(int(major), int(minor))] = DirtyExtent(start * SECTOR, (start + count) * SECTOR)
    return found


def _text(word: bytes) -> str:
    return os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), word))


def _directory(number: int, places: BlockPlaces) -> Path:
    return places.devices / f"{os.major(number)}:{os.minor(number)}"


def _gather(directory: Path, found: set[int], depth: int) -> None:
    """The device in this directory of sysfs, its partitions, and what holds any of them."""
    try:
        major, minor = (directory / "dev").read_text().split(":")
    except (OSError, ValueError):
        return
    number = os.makedev(int(major), int(minor))
    if number in found or depth > _DEEPEST:
        return
    found.add(number)
    own = directory.resolve()
    above = [*(one.parent for one in own.glob("*/partition")), *own.glob("holders/*")]
    with suppress(OSError):
        above += loops_on(f"/dev/{own.name}", PLACES)
    for one in above:
        _gather(one, found, depth + 1)
