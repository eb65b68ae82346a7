"""Is there room where the agent writes, and will what it writes be there after a reboot?"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.config.values import Settings
from agent.doctor.diagnosis import Condition, Diagnosis, good
from agent.fs.handles import filesystem_magic
from agent.fs.reserve import FreeSpace, Shortage, room_at
from agent.status.figures import size_text
from agent.watch.choose import filesystem_of_others

#: tmpfs and ramfs (linux/magic.h).
_IN_MEMORY = frozenset({0x01021994, 0x858458F6})
#: A filesystem with so few inodes left, of all, makes no more files soon.
_FEW_INODES = 100


@dataclass(frozen=True, slots=True)
class PlaceFound:
    """A directory that is written. ``stands``: the one of it and its parents that is there, "" where this user may not look;
    ``room``: None where that could not be asked; ``inodes``: free and all, 0 of all where the filesystem counts none; ``magic``:
    of its filesystem; ``ours``: the agent's own state lies there, and not a tree."""

    path: str
    what: str
    ours: bool
    stands: str = ""
    room: FreeSpace | None = None
    inodes: tuple[int, int] = (0, 0)
    magic: int = 0


def look_at_places(settings: Settings) -> tuple[PlaceFound, ...]:
    """The state directory, each vault, each tree and image file. A block device takes no room of a filesystem."""
    asked = [(settings.node.state_dir, "the state directory", True)]
    for one in settings.datasets:
        if one.vault is not None:
            asked.append((one.vault, f"the vault of {one.name}", True))
        if not (one.is_device and Path(one.path).is_block_device()):
            asked.append((one.path, f"the {'image' if one.is_device else 'tree'} of {one.name}", False))
    return tuple(_place(*one) for one in asked)


def judge_places(places: Iterable[PlaceFound]) -> Iterator[Diagnosis]:
    """Room, inodes and kind of each place. Pure."""
    for place in places:
        if not place.stands:
            message = f"{place.path} ({place.what}): this user may not look at it"
            yield Diagnosis("space", Condition.UNKNOWN, message, "sudo hikae doctor")
            continue
        yield from _of_room(place)
        if place.ours:
            yield from _of_kind(place)


def _of_room(place: PlaceFound) -> Iterator[Diagnosis]:
    room, name = place.room, "space"
    if room is None:
        return
    shown = f"{place.path} ({place.what})"
    free, total = place.inodes
    if room.free < room.reserve:
        short = Shortage(room)
        yield Diagnosis(name, Condition.ERROR, f"{shown}: {short.reason}, so nothing is written there", short.remedy)
    elif room.free < room.enough + room.reserve:
        message = f"{shown} has {size_text(room.free)} left, and at {size_text(room.reserve)} nothing is written there"
        yield Diagnosis(name, Condition.WARNING, message, "free space there, or enlarge it")
    elif total and free * _FEW_INODES < total:
        message = f"{shown} has {free:,} of {total:,} inodes left: then no file can be made, whatever is free"
        yield Diagnosis(name, Condition.WARNING, message, f"remove files there: df -i {place.stands}")
    else:
        yield good(name, f"{shown} has {size_text(room.free)} free")


def _of_kind(place: PlaceFound) -> Iterator[Diagnosis]:
    shown, network = f"{place.path} ({place.what})", filesystem_of_others(place.magic)
    if place.magic in _IN_MEMORY:
        message = f"{shown} lies in memory: after a reboot this node knows nothing any more, not even its role"
        yield Diagnosis("state", Condition.WARNING, message, "move it to a disk, and correct the configuration")
    elif network is not None:
        message = f"{shown} lies on {network}: what must be durable there, and locked, may not be"
        yield Diagnosis("state", Condition.WARNING, message, "move it to a local disk, and correct the configuration")


def _place(path: str, what: str, ours: bool) -> PlaceFound:
    try:
        standing = next(str(one) for one in (Path(path), *Path(path).parents) if one.exists())
        fd = os.open(standing, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return PlaceFound(path, what, ours)
    try:
        stat = os.fstatvfs(fd)
        room = room_at(standing)
        inodes = (stat.f_favail, stat.f_files)
        return PlaceFound(
            path, what, ours, standing, FreeSpace(path, room.free, room.total), inodes, filesystem_magic(fd)
        )
    finally:
        os.close(fd)
