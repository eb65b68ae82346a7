"""What the configuration of a device says, and what of it means something for trees only."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace

from agent.config.mistakes import Mistake
from agent.config.resolve import WrittenDataset, inside
from agent.config.schema import DatasetEntry
from agent.config.units import shown_value
from agent.config.values import Settings

#: A device is read whole by a reconcile: once a week, where the file says nothing.
WEEKLY = "0 3 * * 0"
#: Filesystems in which neither a device nor an image lies.
_NEITHER = ("/proc", "/sys")
_DEVICES = "/dev"
#: Keys that say something of names and files, and why a device has no use for them.
_OF_TREES = {
    "exclude": "a device has no names to leave out",
    "include": "a device has no names to take in",
    "watch": "a device is followed by what the kernel tells of its blocks",
    "verify_deep": "every byte of a device is read by each verify",
}


def by_kind(entry: DatasetEntry, table: Mapping[str, object]) -> DatasetEntry:
    """An entry with the defaults of its kind; ``table``: as it is written."""
    if entry.kind == "device" and "reconcile" not in table:
        return replace(entry, reconcile=WEEKLY)
    return entry


def said_in_vain(place: str, entry: DatasetEntry, table: Mapping[str, object]) -> Iterator[str]:
    """Warnings of keys that mean nothing for what the dataset is; ``place``: what they begin with."""
    if entry.kind == "device":
        for key, why in _OF_TREES.items():
            if key in table:
                yield f"{place}.{key}: means nothing here, since {why}; leave it out"
    elif "device" in table:
        yield f'{place}.device: means nothing for a tree; leave it out, or write kind = "device"'


def own_place(each: WrittenDataset, path: str) -> Iterator[Mistake]:
    """A device's path that leads where there is none, by its name alone."""
    if any(inside(path, place) for place in _NEITHER):
        text = f"{shown_value(path)} lies in a filesystem of the kernel's own; write a block device, like /dev/sdb, or a file"
        yield each.mistake("path", text)


def no_devices(settings: Settings) -> Iterator[Mistake]:
    """Paths of devices at which something else stands. One at which nothing stands is no mistake: it may be plugged in later, and
    a standby makes its image."""
    for dataset in settings.datasets:
        found = _what_stands(dataset.path) if dataset.is_device else None
        if found is not None:
            text = f"{shown_value(dataset.path)} is {found}; write a block device, like /dev/sdb, or a raw image file"
            if found == "a directory":
                text += ', or kind = "tree"'
            yield Mistake(settings.source_files[0], f"dataset[{dataset.name}].path", text)


def _what_stands(path: str) -> str | None:
    """What stands at a path where a device should; None: one does, or nothing can be said."""
    try:
        found = os.stat(path)
        among_devices = found.st_dev == os.stat(_DEVICES).st_dev
    except OSError:
        return None
    mode = found.st_mode
    if stat.S_ISREG(mode) and among_devices:
        return "a file where the kernel shows its devices, gone with the next start"
    if stat.S_ISBLK(mode) or stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFCHR: "a character device", stat.S_IFIFO: "a pipe"}
    return kinds.get(stat.S_IFMT(mode), "no device")
