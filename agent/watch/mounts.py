"""What is mounted below a root, and when that changes: no watcher tells of it.

The kernel wakes who polls ``/proc/self/mountinfo`` when any mount comes or goes (proc(5)); then it is read again.
"""

from __future__ import annotations

import os
import select

from agent.config.nesting import below, mount_points, mounts
from agent.watch.hint import Hint, Look

#: Beginnings of the types of filesystems that a program or another machine serves, so that a stat may wait for ever; and of what
#: mounts such a one once it is asked.
_SERVED = (
    *("fuse", "nfs", "cifs", "smb", "9p", "ceph", "afs", "autofs"),
    *("lustre", "gfs", "ocfs", "coda", "virtiofs", "beegfs"),
)
_NOT_SERVED = ("fusectl",)


def served_elsewhere() -> list[str]:
    """Mount points of filesystems that may not answer."""
    return [point for point, kind in mounts() if kind.startswith(_SERVED) and kind not in _NOT_SERVED]


class MountChanges:
    """Whether any mount came or went. For one thread; ``close`` ends it."""

    def __init__(self) -> None:
        self._fd = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLPRI)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)

    def came(self) -> bool:
        """Since this was last asked, or the beginning."""
        return bool(self._poll.poll(0))


class MountsBelow:
    """Of one root. For one thread; ``close`` ends it."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._changes = MountChanges()
        self._points = self._below()

    def close(self) -> None:
        """Give the descriptor back."""
        self._changes.close()

    def changed(self) -> list[Hint]:
        """The places where something was mounted or unmounted since this was last asked."""
        if not self._changes.came():
            return []
        before, self._points = self._points, self._below()
        return [Hint(os.fsencode(path), Look.SUBTREE) for path in sorted(before ^ self._points)]

    def _below(self) -> set[str]:
        return {path for point in mount_points() if (path := below(point, self._root)) is not None}
