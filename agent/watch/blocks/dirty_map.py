"""What of a device may have changed: in memory, bounded, and never lost.

Memory holds the numbers of dirty granules, and wide ranges apart. Where either grows past its limit, granules double: extents
become coarser until they fit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.core.chunks import DEVICE_CHUNK
from agent.watch.blocks.ports import DirtyExtent

SECTOR = 512

_FINEST = (DEVICE_CHUNK // SECTOR).bit_length() - 1


@dataclass(frozen=True, slots=True)
class MapLimits:
    """``granules``: dirty granules that are kept one by one; ``ranges``: wide ranges beside them; ``wide``: granules from which
    on a write is kept as a range."""

    granules: int = 1 << 18
    ranges: int = 1 << 12
    wide: int = 64


class DirtyMap:
    """The dirty part of a device. Not thread-safe: its owner's lock guards it."""

    def __init__(self, limits: MapLimits = MapLimits()) -> None:
        self._limits = limits
        self._shift = _FINEST
        self._granules: set[int] = set()
        self._ranges: list[tuple[int, int]] = []

    def __bool__(self) -> bool:
        return bool(self._granules or self._ranges)

    @property
    def bytes(self) -> int:
        """About how much is dirty: ranges may meet granules."""
        return (len(self._granules) + sum(high - low for low, high in self._ranges)) * (SECTOR << self._shift)

    def mark_sectors(self, written: Iterable[tuple[int, int]], first: int, count: int) -> None:
        """Mark ``(sector, sectors)`` of a whole disk, of which the device is ``count`` sectors from ``first`` on."""
        shift, wide, add = self._shift, self._limits.wide, self._granules.add
        for sector, sectors in written:
            begin = sector - first
            last = begin + sectors - 1
            if last < 0 or begin >= count or not sectors:
                continue
            low, high = max(begin, 0) >> shift, min(last, count - 1) >> shift
            if low == high:
                add(low)
            elif high - low < wide:
                self._granules.update(range(low, high + 1))
            else:
                self._ranges.append((low, high + 1))
        if len(self._granules) > self._limits.granules or len(self._ranges) > self._limits.ranges:
            self._coarsen()

    def mark(self, extents: Iterable[DirtyExtent]) -> None:
        """Mark bytes of the device."""
        spans = ((start // SECTOR, -(-end // SECTOR) - start // SECTOR) for start, end in extents if end > start)
        for span in spans:
            self.mark_sectors((span,), 0, sum(span))

    def take(self, size: int) -> tuple[DirtyExtent, ...]:
        """The dirty extents of a device of ``size`` bytes, merged and sorted; the map is empty afterwards."""
        unit = SECTOR << self._shift
        spans = merged([*self._ranges, *((one, one + 1) for one in self._granules)])
        self._forget()
        return tuple(DirtyExtent(low * unit, min(high * unit, size)) for low, high in spans if low * unit < size)

    def _coarsen(self) -> None:
        self._ranges = merged(self._ranges)
        while len(self._granules) > self._limits.granules or len(self._ranges) > self._limits.ranges:
            self._shift += 1
            self._granules = {one >> 1 for one in self._granules}
            self._ranges = merged((low >> 1, (high + 1) >> 1) for low, high in self._ranges)

    def _forget(self) -> None:
        self._shift, self._granules, self._ranges = _FINEST, set(), []


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open spans, sorted, with those that meet made one."""
    made: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if made and low <= made[-1][1]:
            made[-1] = (made[-1][0], max(high, made[-1][1]))
        else:
            made.append((low, high))
    return made
