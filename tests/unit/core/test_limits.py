"""What capture may produce is what can be kept, sent and taken: one set of limits, tried at and beyond each of them."""

from __future__ import annotations

import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.chunks import HOLE, Chunk, encode
from agent.core.commit import Changes
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.row_checks import (
    ROW_MAX,
    SIZE_MAX,
    SYMLINK_MAX,
    XATTR_VALUE_MAX,
    Unfit,
    check_row,
    encode_captured,
)
from agent.core.rows import ObjectRow
from agent.rpc.codec import decode_batch, encode_batch
from agent.stream.messages import BATCH_MAX, ROWS_MAX, Offer
from agent.stream.rows_blob import blobs_of, changes_in

REGULAR, DIRECTORY, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


def file_of(size: int) -> ObjectRow:
    """A file that is one hole."""
    return ObjectRow(ObjectId(7), REGULAR, 0, 0, 1, 0, size, 0, (), encode([Chunk(HOLE, size)]) if size else b"")


def with_xattrs(mode: int, count: int, length: int) -> ObjectRow:
    """Something with so many attributes of so many bytes."""
    xattrs = tuple((b"user.%06d" % n, bytes(length)) for n in range(count))
    return ObjectRow(ObjectId(7), mode, 0, 0, 1, xattrs=xattrs)


def travels(row: ObjectRow) -> bool:
    """Whether a row that capture gives comes out at the other side as it was; False where it is no row at all."""
    try:
        raw = encode_captured(row)
    except Unfit:
        return False
    ((_, blob),) = blobs_of(Changes([raw]))
    message = encode_batch((Offer(0, CommitNumber(1), NOTHING, blob),))
    assert len(blob) <= ROWS_MAX
    assert len(message) <= BATCH_MAX
    (offer,) = decode_batch(message)
    assert isinstance(offer, Offer)
    assert [check_row(put) for put in changes_in(offer.rows).puts] == [row]
    return True


FITTING = (
    file_of(0),
    file_of(SIZE_MAX),
    with_xattrs(REGULAR, 65_535, 1),
    with_xattrs(DIRECTORY, 60, XATTR_VALUE_MAX),
    ObjectRow(ObjectId(7), LINK, 0, 0, 1, content=b"x" * SYMLINK_MAX),
)
BEYOND = (
    file_of(0)._replace(size=SIZE_MAX + 1),
    with_xattrs(REGULAR, 65_536, 1),
    with_xattrs(DIRECTORY, 70, XATTR_VALUE_MAX),
    with_xattrs(REGULAR, 1, XATTR_VALUE_MAX + 1),
    ObjectRow(ObjectId(7), LINK, 0, 0, 1, content=b"x" * (SYMLINK_MAX + 1)),
)


@pytest.mark.parametrize("row", FITTING, ids=range(len(FITTING)))
def test_what_is_just_within_travels(row: ObjectRow) -> None:
    """At each limit a row is still one, and the receiver takes it."""
    assert travels(row)


@pytest.mark.parametrize("row", BEYOND, ids=range(len(BEYOND)))
def test_what_is_beyond_is_no_row(row: ObjectRow) -> None:
    """It is refused where it is captured, by a sentence about that one path."""
    with pytest.raises(Unfit, match=r"\w"):
        encode_captured(row)


@settings(max_examples=60, deadline=None)
@given(st.integers(55, 70), st.integers(XATTR_VALUE_MAX - 3000, XATTR_VALUE_MAX + 2))
def test_whatever_capture_calls_a_row_is_taken(count: int, length: int) -> None:
    """Around the limit of what can be sent: either it is no row, or it comes whole; never one that nobody takes."""
    row = with_xattrs(REGULAR, count, length)
    size = sum(6 + len(name) + len(value) for name, value in row.xattrs)
    assert travels(row) == (length <= XATTR_VALUE_MAX and size + 60 <= ROW_MAX)
