"""Who has a block device open that nothing claims: a program that writes it raw, or another agent that captures it.

The kernel's claim (``fs.block_device``) does not tell of them. What a process has open is seen in its own ``fd`` (proc(5)), as
far as this process may look.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def holder_of(number: int, processes: Path = _PROC) -> str:
    """Another process that has the device of this number open for writing, or reads it past the cache, as who captures it does:
    in words, "" for none. Only what was opened below ``/dev`` is asked, since other filesystems may never answer."""
    for process in _others(processes):
        for link in _opened(process):
            with suppress(OSError, ValueError):
                if os.readlink(link).startswith("/dev/") and _is(link, number) and (how := _how(process, link.name)):
                    return f"{_program(process)} (process {process.name}) {how}"
    return ""


def _others(processes: Path) -> Iterator[Path]:
    own = str(os.getpid())
    yield from (one for one in sorted(processes.iterdir()) if one.name.isdecimal() and one.name != own)


def _opened(process: Path) -> list[Path]:
    try:
        return list((process / "fd").iterdir())
    except OSError:
        return []  # It has ended, or is not for us to look into.


def _is(link: Path, number: int) -> bool:
    found = os.stat(link)
    return stat.S_ISBLK(found.st_mode) and found.st_rdev == number


def _how(process: Path, descriptor: str) -> str:
    """What it does with it, going by how it was opened."""
    told = (process / "fdinfo" / descriptor).read_text().split()
    flags = int(told[told.index("flags:") + 1], 8)
    if flags & os.O_ACCMODE != os.O_RDONLY:
        return "has it open for writing"
    return "reads it past the cache, as an agent does that captures it" if flags & os.O_DIRECT else ""


def _program(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a program"
