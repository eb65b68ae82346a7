"""A tracker that is told what was written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from agent.watch.blocks.dirty_map import DirtyMap
from agent.watch.blocks.ports import Dirtied, DirtyExtent


class FakeTracker:
    """A ``BlockTracker`` of a device of ``size`` bytes; ``lost`` asks for a reconcile, ``untracked`` is what an audit says."""

    kind = "blocktrace"
    why = "the test says so"

    def __init__(self, size: int) -> None:
        self.size = size
        self.overflows = 0
        self.untracked: str | None = None
        self.saved: Path | None = None
        self.stopped = False
        self._lock = threading.Lock()
        self._map = DirtyMap()
        self._reconcile: str | None = "the agent was started"
        self._wake: Callable[[], None] = _sleeps
        #: Called after each take.
        self.on_take: Callable[[], None] = _sleeps

    @property
    def waiting(self) -> int:
        """See ``BlockTracker``."""
        with self._lock:
            return self._map.bytes

    def wrote(self, offset: int, length: int) -> None:
        """Bytes were written."""
        with self._lock:
            self._map.mark([DirtyExtent(offset, offset + length)])
        self._wake()

    def lost(self, why: str) -> None:
        """Events were lost."""
        with self._lock:
            self.overflows += 1
            self._reconcile = why
        self._wake()

    def start(self, wake: Callable[[], None]) -> None:
        """See ``BlockTracker``."""
        self._wake = wake

    def take(self) -> Dirtied:
        """See ``BlockTracker``."""
        with self._lock:
            taken = Dirtied(self._map.take(self.size), self._reconcile)
            self._reconcile = None
        self.on_take()
        return taken

    def restore(self, dirtied: Dirtied) -> None:
        """See ``BlockTracker``."""
        with self._lock:
            self._map.mark(dirtied.extents)
            self._reconcile = self._reconcile or dirtied.reconcile

    def audit(self) -> str | None:
        """See ``BlockTracker``."""
        return self.untracked

    def save(self, path: Path) -> None:
        """See ``BlockTracker``."""
        self.saved = path
        self.stopped = True

    def stop(self) -> None:
        """See ``BlockTracker``."""
        self.stopped = True


class UntoldTracker(FakeTracker):
    """Nothing tells what is written, ever."""

    kind = "none"

    def take(self) -> Dirtied:
        """See ``BlockTracker``."""
        return Dirtied(super().take().extents, "nothing tells")


def _sleeps() -> None:
    """Not started: nobody is woken."""
