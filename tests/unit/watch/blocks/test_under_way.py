"""Writes whose end is not told are owed until they must have ended."""

from __future__ import annotations

from agent.core.chunks import DEVICE_CHUNK
from agent.watch.blocks.dirty_map import SECTOR, MapLimits
from agent.watch.blocks.ports import DirtyExtent
from agent.watch.blocks.under_way import WritesUnderWay

_SIZE = 64 * DEVICE_CHUNK
_SECTORS = DEVICE_CHUNK // SECTOR
_FIRST, _THIRD = DirtyExtent(0, DEVICE_CHUNK), DirtyExtent(2 * DEVICE_CHUNK, 3 * DEVICE_CHUNK)


def _writes() -> WritesUnderWay:
    return WritesUnderWay(MapLimits(), longest=30.0)


def test_nothing_under_way_is_nothing_owed() -> None:
    """A look that finds none forgets all that was queued."""
    writes = _writes()
    writes.mark_sectors([(0, 8)], 0, 64 * _SECTORS)
    assert ((), ()) == (writes.owed(0, _SIZE, 0.0), writes.owed(1, _SIZE, 1.0))


def test_what_is_under_way_is_owed_by_each_look() -> None:
    """Until it must have ended: not before its longest time, and not for ever."""
    writes = _writes()
    writes.mark_sectors([(0, 8)], 0, 64 * _SECTORS)
    assert (_FIRST,) == writes.owed(1, _SIZE, 0.0)
    writes.mark_sectors([(2 * _SECTORS, 8)], 0, 64 * _SECTORS)
    assert {_FIRST, _THIRD} == set(writes.owed(1, _SIZE, 29.0))
    assert (_THIRD,) == writes.owed(1, _SIZE, 30.0)
    assert (_THIRD,) == writes.owed(1, _SIZE, 59.0)
    assert () == writes.owed(1, _SIZE, 60.0)
