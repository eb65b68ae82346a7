"""Layouts of trace records are read from the kernel's own words."""

from __future__ import annotations

import pytest

from agent.watch.blocks.formats import TraceField, UnknownFormat, block_event, fields_of, ring_page
from fakes.trace_ring import HEADER_PAGE, NEW_QUEUE, OLD_QUEUE, RQ_COMPLETE


def test_the_fields_of_a_format() -> None:
    """Types of several words, arrays and locations of text are told by name."""
    fields = fields_of(RQ_COMPLETE)
    assert [TraceField(16, 8), TraceField(34, 10), TraceField(44, 4)] == [
        fields[one] for one in ("sector", "rwbs", "cmd")
    ]


@pytest.mark.parametrize("text", [NEW_QUEUE, OLD_QUEUE])
def test_a_record_is_read_where_its_format_says(text: str) -> None:
    """``rwbs`` has 8 bytes on one kernel and 10 on another; both are read."""
    record = bytearray(64)
    record[8:12] = (7 << 20).to_bytes(4, "little")
    record[16:24] = (12345).to_bytes(8, "little")
    record[24:28] = (8).to_bytes(4, "little")
    record[28:31] = b"WSM"
    assert (7 << 20, 12345, 8, ord("W")) == block_event(text).unpack.unpack_from(record)


def test_the_head_of_a_page() -> None:
    """The commit word and the beginning of records."""
    page = ring_page(HEADER_PAGE)
    assert (TraceField(8, 8), 16) == (page.commit, page.data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        NEW_QUEUE.replace("ID: 2097", ""),
        NEW_QUEUE.replace("nr_sector", "count"),
        NEW_QUEUE.replace("sector_t sector;\toffset:16;\tsize:8", "sector_t sector;\toffset:16;\tsize:3"),
        NEW_QUEUE.replace("dev_t dev;\toffset:8", "dev_t dev;\toffset:20"),
    ],
)
def test_what_cannot_be_read_is_said(text: str) -> None:
    """A format without what is needed is refused, not guessed."""
    with pytest.raises(UnknownFormat):
        block_event(text)


@pytest.mark.parametrize(
    "text", ["", HEADER_PAGE.replace("commit", "other"), HEADER_PAGE.replace("offset:8;\tsize:8", "offset:8;\tsize:2")]
)
def test_a_head_that_cannot_be_read_is_said(text: str) -> None:
    """A page without a commit word, or with one of an odd size, is refused."""
    with pytest.raises(UnknownFormat):
        ring_page(text)
