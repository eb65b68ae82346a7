"""Devices of this node that are the same one by another name, or of which one lies in the other, whatever they are called."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from agent.config.mistakes import Mistake
from agent.config.units import shown_value
from agent.config.values import Settings

_DEVICES = Path("/sys/dev/block")


class PlacedDevice(NamedTuple):
    """What stands at a path. ``identity``: of a file or a block device; ``disk``: of the whole disk, where it is one or a part
    of one, else empty."""

    identity: tuple[int, int]
    disk: tuple[int, int] | tuple[()] = ()


def same_disks(settings: Settings, devices: Path = _DEVICES) -> Iterator[Mistake]:
    """Two datasets that would be captured twice, or written over each other. Paths that lead to the same one by links are told
    by their names already."""
    places = [(one, os.path.realpath(one.path)) for one in settings.datasets if one.is_device]
    for (one, path), (other, other_path) in combinations(places, 2):
        here, there = placed_device(path, devices), placed_device(other_path, devices)
        said = overlap_of(here, there) if path != other_path and here is not None and there is not None else ""
        if said:
            text = (
                f'{shown_value(other.path)} {said} "{one.name}" has ({one.path}); write another place, or leave one out'
            )
            yield Mistake(settings.source_files[0], f"dataset[{other.name}].path", text)


def placed_device(path: str, devices: Path = _DEVICES) -> PlacedDevice | None:
    """What stands there; None for nothing, or for what is neither a file nor a block device."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    if stat.S_ISREG(found.st_mode):
        return PlacedDevice((found.st_dev, found.st_ino))
    if not stat.S_ISBLK(found.st_mode):
        return None
    number = os.major(found.st_rdev), os.minor(found.st_rdev)
    return PlacedDevice(number, disk_of(number, devices))


def disk_of(number: tuple[int, int], devices: Path = _DEVICES) -> tuple[int, int]:
    """The number of the whole disk of a block device: its own where it is no partition, or where that cannot be seen."""
    try:
        own = (devices / f"{number[0]}:{number[1]}").resolve(strict=True)
        disk = own.parent if (own / "partition").exists() else own
        major, minor = (disk / "dev").read_text().strip().split(":")
        return int(major), int(minor)
    except (OSError, ValueError):
        return number


def overlap_of(one: PlacedDevice, other: PlacedDevice) -> str:
    """What ``other`` is of ``one``, in words that what has ``one`` follows; "" where they have nothing in common. Pure."""
    if bool(one.disk) != bool(other.disk):
        return ""
    if one.identity == other.identity:
        return "is by another name the device that dataset"
    if not one.disk or one.disk != other.disk:
        return ""
    if one.identity == one.disk:
        return "is a partition of the disk that dataset"
    return "is the disk of the partition that dataset" if other.identity == other.disk else ""
