"""The dirty part of a device: bounded, and never lost."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from agent.core.chunks import DEVICE_CHUNK
from agent.watch.blocks.dirty_map import SECTOR, DirtyMap, MapLimits
from agent.watch.blocks.ports import DirtyExtent

_DEVICE = 1 << 14
_WRITES = st.lists(st.tuples(st.integers(0, _DEVICE), st.integers(0, 3000)), max_size=60)


def _sectors(extents: tuple[DirtyExtent, ...]) -> set[int]:
    return {sector for start, end in extents for sector in range(start // SECTOR, -(-end // SECTOR))}


@given(_WRITES, st.integers(0, 4000), st.integers(1, _DEVICE), st.integers(1, 20), st.integers(1, 4), st.integers(1, 8))
def test_every_written_sector_of_the_device_is_taken(
    writes: list[tuple[int, int]], first: int, count: int, granules: int, ranges: int, wide: int
) -> None:
    """Whatever the limits: what was written within the device is covered; extents are sorted, apart and within it."""
    dirty = DirtyMap(MapLimits(granules, ranges, wide))
    for write in writes:
        dirty.mark_sectors([write], first, count)
    written = {sector - first for begin, length in writes for sector in range(begin, begin + length)}
    taken = dirty.take(count * SECTOR)
    assert written & set(range(count)) <= _sectors(taken)
    assert all(0 <= start < end <= count * SECTOR for start, end in taken)
    assert all(before.end < after.start for before, after in itertools.pairwise(taken))
    assert len(taken) <= granules + ranges
    assert dirty.take(count * SECTOR) == ()


@given(_WRITES)
def test_within_its_limits_no_more_than_chunks_are_dirty(writes: list[tuple[int, int]]) -> None:
    """A map that was not coarsened names the chunks that were written, and no other."""
    dirty = DirtyMap()
    dirty.mark_sectors(writes, 0, _DEVICE)
    chunk = DEVICE_CHUNK // SECTOR
    written = {sector for begin, length in writes for sector in range(begin, min(begin + length, _DEVICE))}
    expected = {sector // chunk for sector in written}
    assert {sector // chunk for sector in _sectors(dirty.take(_DEVICE * SECTOR))} == expected


@given(_WRITES, st.integers(1, 20), st.integers(1, 4))
def test_what_is_given_back_is_owed_again(writes: list[tuple[int, int]], granules: int, ranges: int) -> None:
    """Extents that were taken and marked again are covered by the next take."""
    dirty = DirtyMap(MapLimits(granules, ranges, 4))
    dirty.mark_sectors(writes, 0, _DEVICE)
    taken = dirty.take(_DEVICE * SECTOR)
    dirty.mark(taken)
    assert _sectors(taken) <= _sectors(dirty.take(_DEVICE * SECTOR))


def test_a_device_that_ends_within_a_chunk() -> None:
    """The last extent ends where the device does."""
    dirty = DirtyMap()
    dirty.mark([DirtyExtent(DEVICE_CHUNK, DEVICE_CHUNK + 1)])
    assert dirty.take(DEVICE_CHUNK + 1536) == (DirtyExtent(DEVICE_CHUNK, DEVICE_CHUNK + 1536),)
