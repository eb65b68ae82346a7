"""Pages of a trace ring: which sectors were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.watch.blocks.formats import UnknownFormat, block_event, ring_page
from agent.watch.blocks.ring import NOTHING, RingReader
from fakes.trace_ring import (
    COMPLETE,
    DEVICE,
    DISCARDED,
    HEADER_PAGE,
    NEW_QUEUE,
    QUEUE,
    RQ_COMPLETE,
    TIME_EXTEND,
    TIME_STAMP,
    RingRecord,
    ring_page_of,
)

_LAYOUTS = (ring_page(HEADER_PAGE), block_event(NEW_QUEUE), [block_event(RQ_COMPLETE)])
_READER = RingReader(*_LAYOUTS, DEVICE)
_OTHER = 300
_RECORDS = st.builds(
    RingRecord,
    st.sampled_from([QUEUE, COMPLETE, _OTHER]),
    st.integers(0, 2**63),
    st.integers(0, 2**32 - 1),
    st.sampled_from([b"W", b"WSM", b"D", b"N", b"FWFS", b"ZA", b"R", b"RA"]),
    st.sampled_from([DEVICE, DEVICE + 1]),
    st.integers(0, 20),
    st.booleans(),
)
_PARTS = st.lists(st.one_of(_RECORDS, st.sampled_from([TIME_EXTEND, TIME_STAMP, DISCARDED])), max_size=25)


def _wanted(parts: list[RingRecord | bytes], kind: int, *, reads: bool = False) -> list[tuple[int, int]]:
    return [
        (one.sector, one.sectors)
        for one in parts
        if isinstance(one, RingRecord)
        and one.kind == kind
        and one.device == DEVICE
        and one.sectors
        and (reads or one.rwbs[:1] != b"R")
    ]


@given(_PARTS, st.sampled_from([0, 1 << 31, 3 << 30]), st.booleans())
def test_a_page_tells_what_was_written(parts: list[RingRecord | bytes], lost: int, ends: bool) -> None:
    """Everything but reads of the device, in order, whatever stands between; lost events are said."""
    told = _READER.read(ring_page_of(parts, lost=lost, ends=ends))
    assert (_wanted(parts, QUEUE), _wanted(parts, COMPLETE), lost != 0) == told


@given(_PARTS)
def test_a_reader_that_probes_sees_reads(parts: list[RingRecord | bytes]) -> None:
    """With nothing ignored, reads are told too."""
    told = RingReader(*_LAYOUTS, DEVICE, NOTHING).read(ring_page_of(parts))
    assert (_wanted(parts, QUEUE, reads=True), _wanted(parts, COMPLETE, reads=True)) == (told.queued, told.completed)


@given(_PARTS, st.integers(0, 4096), st.binary(min_size=4, max_size=4))
def test_no_page_ends_a_reader(parts: list[RingRecord | bytes], at: int, noise: bytes) -> None:
    """A mangled page is read or refused; never another error, never for ever."""
    page = bytearray(ring_page_of(parts))
    page[at : at + 4] = noise
    try:
        _READER.read(bytes(page))
    except UnknownFormat:
        return


@pytest.mark.parametrize("page", [b"", bytes(8), bytes(8) + (5000).to_bytes(8, "little") + bytes(4080)])
def test_a_page_that_is_cut_off_is_refused(page: bytes) -> None:
    """A page shorter than it claims tells nothing."""
    with pytest.raises(UnknownFormat):
        _READER.read(page)


def test_a_record_beyond_its_page_is_refused() -> None:
    """A length that leads out of what is committed is not believed."""
    page = bytearray(ring_page_of([RingRecord(QUEUE, 1, 1)]))
    page[16] = page[16] & 0xE0 | 20
    with pytest.raises(UnknownFormat):
        _READER.read(bytes(page))
