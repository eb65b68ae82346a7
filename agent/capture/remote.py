"""Where something is mounted below the root that another program or machine serves: it may never answer, so it is asked nothing.

A mount that hangs (a FUSE program that stands still, a share whose server is gone) holds up whoever asks for as much as a stat,
and no system call can be taken back. The kernel's list of mounts answers always. What is mounted between a look at it and a stat
is met all the same: that window is as long as a few system calls.
"""

from __future__ import annotations

import os
import stat

from agent.config.nesting import below
from agent.watch.mounts import MountChanges, served_elsewhere

_SIZE_OF_BLOCK = 4096


class RemoteMounts:
    """Below one root; belongs to one thread. ``names``: the last parts of their places, empty nearly always, so that asking costs
    nothing."""

    def __init__(self, root: bytes) -> None:
        self._root = os.fsdecode(root)
        self._changes = MountChanges()
        self.names: frozenset[bytes] = frozenset()
        self._paths: frozenset[bytes] = frozenset()
        self._read()

    def close(self) -> None:
        """Give the descriptor back."""
        self._changes.close()

    def look(self) -> None:
        """Take in what was mounted or unmounted; a system call."""
        if self._changes.came():
            self._read()

    def stands_at(self, path: bytes) -> bool:
        """Whether one stands at this path, relative to the root."""
        return path in self._paths

    def covers(self, path: bytes) -> bool:
        """Whether one stands at this path or above it."""
        return any(path == one or path.startswith(one + b"/") for one in self._paths)

    def _read(self) -> None:
        found = (below(point, self._root) for point in served_elsewhere())
        self._paths = frozenset(os.fsencode(path) for path in found if path is not None)
        self.names = frozenset(path.rpartition(b"/")[2] for path in self._paths)


def stat_of_mount(parent_fd: int) -> os.stat_result:
    """What stands for the stat of such a mount: a directory of its parent's owner."""
    parent = os.fstat(parent_fd)
    owner = parent.st_uid, parent.st_gid
    return os.stat_result(
        (stat.S_IFDIR | 0o755, 0, 0, 2, *owner, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0, 0, 0, _SIZE_OF_BLOCK, 0, 0)
    )
