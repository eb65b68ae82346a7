"""What is mounted below a root, and when that changes: no watcher tells of it.

The kernel wakes who polls ``/proc/self/mountinfo`` when any mount comes or goes (proc(5)); then it is read again.
"""

from __future__ import annotations

import os
import select

from agent.config.nesting import below, mount_points
from agent.watch.hint import Hint, Look


class MountsBelow:
    """Of one root. For one thread; ``close`` ends it."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._fd = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLPRI)
        self._points = self._below()

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)

    def changed(self) -> list[Hint]:
        """The places where something was mounted or unmounted since this was last asked."""
        if not self._poll.poll(0):
            return []
        before, self._points = self._points, self._below()
        return [Hint(os.fsencode(path), Look.SUBTREE) for path in sorted(before ^ self._points)]

    def _below(self) -> set[str]:
        return {path for point in mount_points() if (path := below(point, self._root)) is not None}
