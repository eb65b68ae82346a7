"""Leases on open files (fcntl(2)): the kernel gives one to who is alone with a file, or to who reads where nobody may write."""

from __future__ import annotations

import fcntl
import signal


def take_file_lease(fd: int, kind: int) -> None:
    """Take a lease on an open file; closing it, or ``F_UNLCK``, gives it back. ``kind``: ``F_RDLCK`` on a file that is open for
    reading only, or ``F_WRLCK``. Raises ``BlockingIOError`` where somebody has the file open otherwise, ``OSError`` where the
    filesystem has no leases.

    Who opens the file meanwhile waits, and the kernel sends a signal: by default SIGIO, which ends a process that does not
    expect it. SIGURG ends nobody."""
    fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, kind)
