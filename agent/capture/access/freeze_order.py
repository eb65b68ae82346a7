"""Which open directories are of one filesystem, and which filesystem lies in files of another: in what order many are frozen.

A filesystem that is frozen before what stands on it (through a loop device over one of its files, or a device that is stacked on
such) would take no write of that any more, so that the second freeze would wait for the first to end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.fs.block_device import BlockPlaces
from agent.fs.handles import mount_of_fd
from agent.fs.thaw_guard import FreezeRoot

#: So many devices are stacked on one another at most.
_DEEPEST = 16
#: A btrfs has a number that no device has, but its source names one.
_PLACES = BlockPlaces()


@dataclass(frozen=True, slots=True)
class Superblock:
    """A filesystem as the kernel counts them. ``number``: "major:minor", the same for every mount and subvolume of it;
    ``point``: where it is mounted; ``device``: of the block device below it, 0 for none."""

    number: str
    point: str
    device: int


def in_freeze_order(roots: Iterable[FreezeRoot], places: BlockPlaces = _PLACES) -> list[FreezeRoot]:
    """One root of each filesystem: the deepest mount first and ``/`` last, but what lies in files of another before that."""
    mounts = _mounts(places)
    found: dict[str, tuple[FreezeRoot, Superblock]] = {}
    for root in roots:
        block = _superblock(root, mounts)
        found.setdefault(block.number, (root, block))
    left = sorted(found.values(), key=lambda one: _depth(one[1]))
    below = {block.number: frozenset(_carriers(block.device, mounts, places, 0)) for _, block in left}
    return list(_topmost_first(left, below))


def _depth(block: Superblock) -> tuple[bool, int, str]:
    return block.point == "/", -block.point.count("/"), block.point


def _topmost_first(left: list[tuple[FreezeRoot, Superblock]], below: dict[str, frozenset[str]]) -> Iterator[FreezeRoot]:
    """In order, each when nothing that is left stands on it."""
    while left:
        carried = {number for _, block in left for number in below[block.number] if number != block.number}
        chosen = next((one for one in left if one[1].number not in carried), left[0])
        left.remove(chosen)
        yield chosen[0]


def _superblock(root: FreezeRoot, mounts: dict[int, Superblock]) -> Superblock:
    fd, path = root
    with suppress(OSError, KeyError):
        return mounts[mount_of_fd(fd)]
    number = os.fstat(fd).st_dev
    return Superblock(f"{os.major(number)}:{os.minor(number)}", path, number)


def _mounts(places: BlockPlaces) -> dict[int, Superblock]:
    """By the id of each mount that this process sees."""
    found: dict[int, Superblock] = {}
    for line in places.mounts.read_bytes().splitlines():
        words = line.split(b" ")
        if b"-" in words:
            source = words[words.index(b"-") + 2]
            number, point = words[2].decode(), os.fsdecode(words[4])
            found[int(words[0])] = Superblock(number, point, _device(number, source))
    return found


def _device(number: str, source: bytes) -> int:
    major, minor = (int(word) for word in number.split(":"))
    if major or not source.startswith(b"/"):
        return os.makedev(major, minor) if major else 0
    try:
        return os.stat(source).st_rdev
    except OSError:
        return 0


def _carriers(device: int, mounts: dict[int, Superblock], places: BlockPlaces, depth: int) -> Iterator[str]:
    """The filesystems in whose files a device lies, as deep as it goes."""
    if not device or depth > _DEEPEST:
        return
    here = (places.devices / f"{os.major(device)}:{os.minor(device)}").resolve()
    disk = here.parent if (here / "partition").exists() else here
    for slave in sorted((here / "slaves").glob("*")):
        yield from _carriers(_number_in(slave), mounts, places, depth + 1)
    with suppress(OSError):
        yield from _of_file((disk / "loop" / "backing_file").read_text().rstrip("\n"), mounts, places, depth)


def _of_file(path: str, mounts: dict[int, Superblock], places: BlockPlaces, depth: int) -> Iterator[str]:
    """What carries the file or device that is below a loop device."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        number = os.fstat(fd).st_rdev
        block = None if number else _superblock((fd, path), mounts)
    finally:
        os.close(fd)
    if block is not None:
        yield block.number
        number = block.device
    yield from _carriers(number, mounts, places, depth + 1)


def _number_in(directory: Path) -> int:
    try:
        major, minor = (directory / "dev").read_text().split(":")
    except (OSError, ValueError):
        return 0
    return os.makedev(int(major), int(minor))
