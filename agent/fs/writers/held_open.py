"""What the kernel says of one file: whether anybody has it open for writing, or mapped so.

It gives no read lease then (fcntl(2)), whoever it is, also a process that cannot be looked into.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import suppress

from agent.core.rows import PRIVATE_DIR
from agent.fs.file_leases import take_file_lease

_PRIVATE = os.fsdecode(PRIVATE_DIR)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def is_open_for_writing(fd: int) -> bool | None:
    """Whether any process has a regular file open for writing, or mapped so; None where the kernel does not tell. ``fd``: the
    file, open for reading only."""
    try:
        take_file_lease(fd, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def files_held_open(root: str, look: Callable[[], None]) -> Iterator[str]:
    """The files below it that somebody has open for writing. ``look`` is called at each directory, and may raise. OSError where
    that cannot be told of one."""
    opened = os.open(root, _DIRECTORY)
    try:
        yield from _held_open_in(opened, root, look, _PRIVATE)
    finally:
        os.close(opened)


def _held_open_in(at: int, path: str, look: Callable[[], None], but: str = "") -> Iterator[str]:
    """Of the open directory ``at``, without the entry ``but``. What an entry is comes with its name and is not asked."""
    look()
    below = []
    with os.scandir(at) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    if _asked_of(at, entry.name):
                        yield f"{path}/{entry.name}"
    for name in below:
        if name == but:
            continue
        with suppress(FileNotFoundError):
            opened = os.open(name, _DIRECTORY, dir_fd=at)
            try:
                yield from _held_open_in(opened, f"{path}/{name}", look)
            finally:
                os.close(opened)


def _asked_of(fd: int, name: str) -> bool:
    opened = os.open(name, _FILE, dir_fd=fd)
    try:
        take_file_lease(opened, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)  # gives the lease back, too
    return False
