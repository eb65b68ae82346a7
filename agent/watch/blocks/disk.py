"""The disk behind a device, as sysfs shows it: whose events to ask for, which part of it is ours, what its counters say."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from agent.watch.blocks.dirty_map import SECTOR

SYSFS = Path("/sys")

#: Columns of a disk's ``stat`` (Documentation/block/stat.rst): sectors written, sectors discarded.
_WRITTEN, _DISCARDED = 6, 13


@dataclass(frozen=True, slots=True)
class TrackedDisk:
    """A device, as it stands now. Another value means that it was resized, moved, or is another one.

    ``name``: of the device (``sda1``); ``disk``: of the whole disk (``sda``), whose ``number`` the kernel's events carry;
    ``first``, ``sectors``: the device's part of it, 512 bytes each; ``sequence``: the kernel's number of this very disk, which
    no other gets until a reboot, 0 before Linux 5.15; ``stacked``: its events do not tell of the end of each write."""

    name: str
    disk: str
    number: int
    first: int
    sectors: int
    sequence: int
    stacked: bool

    @property
    def size(self) -> int:
        """Bytes."""
        return self.sectors * SECTOR


class DiskCounters(NamedTuple):
    """``written``: sectors written and discarded since the disk is there; ``in_flight``: writes that are under way."""

    written: int
    in_flight: int


def disk_at(path: str, sysfs: Path = SYSFS) -> TrackedDisk:
    """The disk of a block device. Raises ``OSError``; ``ENOTBLK`` where the path is none."""
    found = os.stat(path)
    if not stat.S_ISBLK(found.st_mode):
        raise OSError(errno.ENOTBLK, "not a block device", path)
    entry = (sysfs / f"dev/block/{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}").resolve(strict=True)
    disk = entry.parent if (entry / "partition").exists() else entry
    major, minor = (disk / "dev").read_text().strip().split(":")
    return TrackedDisk(
        name=entry.name,
        disk=disk.name,
        number=int(major) << 20 | int(minor),
        first=_number(entry / "start"),
        sectors=_number(entry / "size"),
        sequence=_number(disk / "diskseq"),
        stacked=not (disk / "mq").exists(),
    )


def counters_of(disk: str, sysfs: Path = SYSFS) -> DiskCounters:
    """What the counters of a whole disk say. Raises ``OSError``."""
    block = sysfs / "block" / disk
    # In this order: what is not under way any more has been counted.
    in_flight = int((block / "inflight").read_text().split()[1])
    columns = [int(one) for one in (block / "stat").read_text().split()]
    discarded = columns[_DISCARDED] if len(columns) > _DISCARDED else 0
    return DiskCounters(columns[_WRITTEN] + discarded, in_flight)


def is_counted(disk: str, sysfs: Path = SYSFS) -> bool:
    """Whether the disk counts at all (``queue/iostats``)."""
    return _number(sysfs / "block" / disk / "queue/iostats", absent=1) != 0


def is_dax(disk: str, sysfs: Path = SYSFS) -> bool:
    """Whether a filesystem on the disk may give programs its memory itself (``mount -o dax``): no event tells of such stores."""
    return _number(sysfs / "block" / disk / "queue/dax") != 0


def _number(path: Path, absent: int = 0) -> int:
    try:
        return int(path.read_text())
    except FileNotFoundError:
        return absent
