"""Who may be writing a block device or an image file: where it is mounted, swapped to or held, and which processes have it open
for writing."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from agent.fs.block_device import BlockPlaces, standing_on, used_by
from agent.fs.writers.processes import MOST, Writer, is_held_for_writing

_PROC = Path("/proc")


def device_writers(path: str, places: BlockPlaces | None = None, most: int = MOST) -> list[Writer]:
    """One entry a use or process, at most ``most``; this process is none. A path at which nothing stands has none."""
    places = places or BlockPlaces()
    try:
        wanted = os.stat(path)
    except OSError:
        return []
    found = [Writer(0, use, path)] if (use := _use(path, wanted, places)) else []
    for name in os.listdir(_PROC):
        if name.isdecimal() and int(name) != os.getpid() and len(found) < most and _holds(_PROC / name, wanted):
            found.append(Writer(int(name), _program(_PROC / name), path))
    return found


def _use(path: str, wanted: os.stat_result, places: BlockPlaces) -> str:
    return used_by(path, places) if stat.S_ISBLK(wanted.st_mode) else standing_on(path, places)


def _holds(process: Path, wanted: os.stat_result) -> bool:
    """Whether a process has it open for writing; one that cannot be looked into is passed over: it is not asked about files."""
    with suppress(OSError):
        for name in os.listdir(process / "fd"):
            with suppress(OSError):
                if _is_same(os.stat(process / "fd" / name), wanted) and is_held_for_writing(process, name):
                    return True
    return False


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    if stat.S_ISBLK(other.st_mode):
        return stat.S_ISBLK(one.st_mode) and one.st_rdev == other.st_rdev
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _program(process: Path) -> str:
    try:
        return (process / "comm").read_text().rstrip("\n")
    except OSError:
        return "a program"
