"""How would a device's changes be noticed here? Asked without beginning to, by who only wants to know."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from agent.config.nesting import mounts
from agent.watch.blocks.disk import SYSFS, disk_at, is_counted, is_dax

_FILE = "a file's times tell that it was written, not where: after a write all of it is read"
_LOCKED = re.compile(r"\[confidentiality\]")


@dataclass(frozen=True, slots=True)
class TracingPlaces:
    """Where the kernel says whether it has tracepoints; tests have their own."""

    filesystems: Path = Path("/proc/filesystems")
    lockdown: Path = Path("/sys/kernel/security/lockdown")
    sysfs: Path = SYSFS


@dataclass(frozen=True, slots=True)
class TrackingOutlook:
    """``kind``: of the tracker, "" where nothing stands at the path; ``missing``: why it would see nothing, so that everything is
    read again and again, "" where it sees; ``doubt``: what is to be known of it, ""."""

    kind: str = ""
    missing: str = ""
    doubt: str = ""


def tracking_outlook(path: str, places: TracingPlaces = TracingPlaces()) -> TrackingOutlook:
    """How the changes of the device or image file at a path would be noticed. Raises nothing."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return TrackingOutlook()
    if stat.S_ISREG(mode):
        return TrackingOutlook(
            "events", doubt="a file's times tell that it was written, not where: after a write all of it is read"
        )
    if not stat.S_ISBLK(mode):
        return TrackingOutlook()
    return TrackingOutlook("blocktrace", tracing_missing(places), _doubt(path, places))


def tracing_missing(places: TracingPlaces = TracingPlaces()) -> str:
    """Why the kernel's block tracepoints cannot be had, a clause for people; "" where nothing is known against them."""
    if not re.search(r"^nodev\ttracefs$", _text(places.filesystems), re.MULTILINE):
        return "this kernel has no tracefs"
    if _LOCKED.search(_text(places.lockdown)):
        return "the kernel is locked down (confidentiality), and lets nobody trace"
    for point in (Path(point) for point, kind in mounts() if kind == "tracefs"):
        try:
            os.listdir(point / "events/block")
        except OSError as error:
            if error.errno == errno.ENOENT:
                return "this kernel has no block tracepoints (CONFIG_BLK_DEV_IO_TRACE)"
    return ""


def _doubt(path: str, places: TracingPlaces) -> str:
    try:
        disk = disk_at(path, places.sysfs)
        if disk.stacked:
            return f"{disk.disk} is made of other disks: followed by rule, which was not tried on every such stack"
        if is_dax(disk.disk, places.sysfs):
            return f"{disk.disk} can be written as memory, which nothing tells: mount its filesystems without dax"
        if not is_counted(disk.disk, places.sysfs):
            return f"{disk.disk} counts nothing, so that what its events tell cannot be checked"
    except OSError as error:
        return f"{path} cannot be looked at: {error.strerror}"
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
