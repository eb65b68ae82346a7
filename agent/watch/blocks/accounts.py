"""Do the kernel's events tell of every write? The disk's own counters are asked, one way.

Events may tell of more than what is counted: a write is told when it is queued, and counted when it ended. They may not tell of
less, but for writes that were under way when the counting began.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.watch.blocks.disk import DiskCounters


@dataclass(frozen=True, slots=True)
class ToldSectors:
    """Sectors that events told of since an instance was opened."""

    queued: int = 0
    completed: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """Where the counting began. ``told`` was read before ``counters``; ``largest``: sectors of one request at most."""

    told: ToldSectors
    counters: DiskCounters
    largest: int

    def written(self, counters: DiskCounters) -> int:
        """Sectors that were counted since."""
        return counters.written - self.counters.written

    def missing(self, counters: DiskCounters, told: ToldSectors, *, stacked: bool) -> int:
        """Sectors that were counted since, and that no event told of. ``counters`` were read before ``told``.

        ``stacked``: only what was queued is told in full."""
        queued = told.queued - self.told.queued
        known = queued if stacked else min(queued, told.completed - self.told.completed)
        return max(0, self.written(counters) - known - self.counters.in_flight * self.largest)
