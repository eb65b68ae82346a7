"""Where datasets are to stand, and what stands there on this machine now."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from agent.config.devices import no_devices
from agent.config.meaning import kernels_own
from agent.config.mistakes import Mistake
from agent.config.nesting import nested
from agent.config.resolve import inside
from agent.config.units import shown_value
from agent.config.values import Dataset, Settings

_DEVICES = Path("/sys/dev/block")


class PlacedDevice(NamedTuple):
    """What stands at a path. ``identity``: of a file or a block device; ``disk``: of the whole disk, where it is one or a part
    of one, else empty."""

    identity: tuple[int, int]
    disk: tuple[int, int] | tuple[()] = ()


def place_mistakes(settings: Settings) -> list[Mistake]:
    """What stands on this machine now where the settings say: another kind of thing, another dataset's, or nothing mounted. A
    mount or a device that comes later may end it."""
    return (
        _no_directories(settings)
        + list(no_devices(settings))
        + list(same_disks(settings))
        + _real_places(settings)
        + _real_overlaps(settings)
        + list(nested(settings))
    )


def misplaced(settings: Settings, name: str) -> list[Mistake]:
    """Of :func:`place_mistakes`, those for which the dataset cannot be opened."""
    own = next((one for one in settings.datasets if one.name == name), None)
    if own is None:
        return []
    place = os.path.realpath(own.path)
    # Last: of two at one place neither is opened, however they are called.
    near = [*(one for one in settings.datasets if one is not own and _concerns(one, own, place)), own]
    return [one for one in place_mistakes(replace(settings, datasets=tuple(near))) if is_of_dataset(one, name)]


def _concerns(other: Dataset, own: Dataset, place: str) -> bool:
    """Whether another dataset may be what keeps ``own``, at ``place``, from being opened: of many only few are looked at
    closely."""
    if other.is_device and own.is_device:
        return True
    there = os.path.realpath(other.path)
    return inside(there, place) or inside(place, there)


def is_of_dataset(mistake: Mistake, name: str | None = None) -> bool:
    """Whether it is about a dataset, or about that one."""
    return mistake.key.startswith("dataset[" if name is None else f"dataset[{name}].")


def _no_directories(settings: Settings) -> list[Mistake]:
    places = [("node.state_dir", settings.node.state_dir)]
    for dataset in settings.datasets:
        if not dataset.is_device:
            places.append((f"dataset[{dataset.name}].path", dataset.path))
        if dataset.vault is not None:
            places.append((f"dataset[{dataset.name}].vault", dataset.vault))
    text = "is there, and is no directory; write another place"
    main = settings.source_files[0]
    return [
        Mistake(main, key, f"{shown_value(path)} {text}")
        for key, path in places
        if os.path.exists(path) and not os.path.isdir(path)
    ]


def _real_places(settings: Settings) -> list[Mistake]:
    """Paths that lead, by symbolic links, where no dataset may be."""
    mistakes: list[Mistake] = []
    state = os.path.realpath(settings.node.state_dir)
    for dataset in settings.datasets:
        real, key = os.path.realpath(dataset.path), f"dataset[{dataset.name}].path"
        may_hold = not dataset.is_device and dataset.primary == settings.node.name
        if inside(real, state) or (inside(state, real) and not may_hold):
            leads = f"{shown_value(dataset.path)} leads to {shown_value(real)}, and state_dir to {shown_value(state)}"
            text = f"{leads}: one lies in the other; write another place for either"
            mistakes.append(Mistake(settings.source_files[0], key, text))
        elif not dataset.is_device and kernels_own(real):
            text = f"{shown_value(dataset.path)} leads into a filesystem of the kernel's own; write the path of a tree"
            mistakes.append(Mistake(settings.source_files[0], key, text))
    return mistakes


def _real_overlaps(settings: Settings) -> list[Mistake]:
    """Datasets whose paths are different by name and the same by symbolic links."""
    mistakes: list[Mistake] = []
    seen: dict[str, Dataset] = {}
    for dataset in settings.datasets:
        other = seen.setdefault(os.path.realpath(dataset.path), dataset)
        if other is not dataset:
            text = f'{shown_value(dataset.path)} leads to the path of dataset "{other.name}"; write another place'
            mistakes.append(Mistake(settings.source_files[0], f"dataset[{dataset.name}].path", text))
    return mistakes


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
