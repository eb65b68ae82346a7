"""Writes whose end is not told: a stacked disk (LVM, md, zram) tells when a write is queued, and of its end perhaps a part.

What was queued is owed again by each take, until a look finds no write under way, or it is older than any write may get.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.watch.blocks.dirty_map import DirtyMap, MapLimits
from agent.watch.blocks.ports import DirtyExtent

#: Seconds after which a write has ended: what disks and their drivers wait for by default.
LONGEST_WRITE = 30.0


class WritesUnderWay:
    """Of one device. Times are monotonic seconds. Not thread-safe."""

    def __init__(self, limits: MapLimits, longest: float = LONGEST_WRITE) -> None:
        self._older, self._newer = DirtyMap(limits), DirtyMap(limits)
        self._longest = longest
        self._turned = float("-inf")

    def mark_sectors(self, queued: Iterable[tuple[int, int]], first: int, count: int) -> None:
        """As :meth:`DirtyMap.mark_sectors`."""
        self._newer.mark_sectors(queued, first, count)

    def owed(self, in_flight: int, size: int, now: float) -> tuple[DirtyExtent, ...]:
        """What a read from now on may still miss. ``in_flight``: writes under way, by a look after the last mark."""
        older, newer = self._older.take(size), self._newer.take(size)
        if not in_flight:
            return ()
        if now - self._turned >= self._longest:
            self._turned, older, newer = now, newer, ()
        self._older.mark(older)
        self._newer.mark(newer)
        return older + newer
