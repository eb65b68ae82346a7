"""What an open trace of a disk makes of its rings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.core.chunks import DEVICE_CHUNK
from agent.watch.blocks.accounts import ToldSectors
from agent.watch.blocks.dirty_map import DirtyMap
from agent.watch.blocks.disk import TrackedDisk
from agent.watch.blocks.disk_trace import DiskTrace, NotTracked
from agent.watch.blocks.formats import block_event, ring_page
from agent.watch.blocks.ports import DirtyExtent
from agent.watch.blocks.tracefs import BlockFormats
from fakes.trace_ring import COMPLETE, DEVICE, HEADER_PAGE, NEW_QUEUE, QUEUE, RQ_COMPLETE, RingRecord, ring_page_of

_DISK = TrackedDisk("loop0p1", "loop0", DEVICE, first=8, sectors=1 << 20, sequence=1, stacked=False)
_FORMATS = BlockFormats(ring_page(HEADER_PAGE), block_event(NEW_QUEUE), (block_event(RQ_COMPLETE),))


class _Rings:
    """Rings that hold these pages."""

    def __init__(self, *pages: bytes, dropped: int = 0) -> None:
        self._pages = pages
        self.dropped = dropped

    def pages(self) -> Iterator[bytes]:
        """See ``NotingRings``."""
        pages, self._pages = self._pages, ()
        yield from pages

    def lost(self) -> int:
        """See ``NotingRings``."""
        return self.dropped

    def is_noting(self, device: int) -> bool:
        """See ``NotingRings``."""
        return device == DEVICE

    def leave(self, kept: float) -> None:
        """See ``NotingRings``."""

    def remove(self) -> None:
        """See ``NotingRings``."""


@pytest.mark.parametrize("kind", [QUEUE, COMPLETE])
def test_the_beginning_and_the_end_of_a_write_mark(kind: int) -> None:
    """A read between both may have met old bytes, so that the end marks again; each alone is enough."""
    dirty = DirtyMap()
    DiskTrace(_DISK, _Rings(ring_page_of([RingRecord(kind, 8 + 128, 8)])), _FORMATS).drain(dirty)
    assert (DirtyExtent(DEVICE_CHUNK, 2 * DEVICE_CHUNK),) == dirty.take(_DISK.size)


def test_what_was_told_is_counted_by_kind() -> None:
    """Of the whole disk, so that it can be compared with the disk's counters."""
    trace = DiskTrace(_DISK, _Rings(ring_page_of([RingRecord(QUEUE, 0, 8), RingRecord(COMPLETE, 0, 5)])), _FORMATS)
    trace.drain(DirtyMap())
    assert ToldSectors(8, 5) == trace.told


def test_a_gap_within_a_ring_is_a_loss() -> None:
    """Whether a page says so, or the counters of the ring; each is told once."""
    rings = _Rings(ring_page_of([], lost=1 << 31))
    trace = DiskTrace(_DISK, rings, _FORMATS)
    trace.drain(DirtyMap())
    assert (1, 0) == (trace.losses(), trace.losses())
    rings.dropped = 7
    assert (7, 0) == (trace.losses(), trace.losses())


def test_a_page_that_cannot_be_read_ends_tracking() -> None:
    """It is not passed over: what it held is not known."""
    trace = DiskTrace(_DISK, _Rings(bytes(8)), _FORMATS)
    with pytest.raises(NotTracked, match="this kernel's trace records cannot be read"):
        trace.drain(DirtyMap())
