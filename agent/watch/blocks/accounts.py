"""Do the kernel's events tell of every write? The disk's own counters are asked, one way.

Events may tell of more than what is counted, and not of less. A request is told of just before it is counted, each on the
processor that completes it. So what was told when the counting began may be counted a moment later: of each processor one
request, and none where nothing was under way. What waits to become a request was told of as queued any time before: of a disk
with requests, what is completed is compared.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToldSectors:
    """Sectors that events told of since an instance was opened."""

    queued: int = 0
    completed: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """Where the counting began. ``told`` was read before ``written``, sectors that the disk had counted; ``tolerance``: sectors
    that had been told of, and were perhaps not counted yet."""

    told: ToldSectors
    written: int
    tolerance: int

    def missing(self, written: int, told: ToldSectors, *, stacked: bool) -> int:
        """Sectors that were counted since, and that no event told of. ``written`` was read before ``told``.

        ``stacked``: only what was queued is told in full."""
        known = told.queued - self.told.queued if stacked else told.completed - self.told.completed
        return max(0, written - self.written - known - self.tolerance)
