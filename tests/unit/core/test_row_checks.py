"""What may be a row: everything that no honest capture would send is refused, and what capture may produce is what can be kept,
sent and taken."""

from __future__ import annotations

import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core import chunks, row_checks, rows
from agent.core.chunks import HOLE, Chunk, encode
from agent.core.commit import Changes
from agent.core.errors import WireError
from agent.core.ids import NOTHING, ROOT, CommitNumber, ObjectId
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


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/etc", b"a\0b", b"x" * 256])
def test_names_that_leave_the_dataset_are_refused(name: bytes) -> None:
    """A name is one component of at most 255 bytes, nothing else."""
    with pytest.raises(WireError):
        row_checks.check_name(ROOT, name)


def test_our_own_directory_is_private_in_the_root_only() -> None:
    """`.hikae` is refused in the root and legal below."""
    with pytest.raises(WireError):
        row_checks.check_name(ROOT, b".hikae")
    row_checks.check_name(ObjectId(7), b".hikae")


@pytest.mark.parametrize(
    "row",
    [
        ObjectRow(ObjectId(5), stat.S_IFSOCK | 0o644, 0, 0, 0),
        ObjectRow(ROOT, stat.S_IFREG, 0, 0, 0),
        ObjectRow(ObjectId(0), stat.S_IFDIR, 0, 0, 0),
        ObjectRow(ObjectId(5), stat.S_IFREG, 0, 0, 0, size=5),
        ObjectRow(ObjectId(5), stat.S_IFDIR, 0, 0, 0, size=5),
        ObjectRow(ObjectId(5), stat.S_IFDIR, 0, 0, 0, rdev=5),
        ObjectRow(ObjectId(5), stat.S_IFCHR, 0, 0, 0, rdev=os.makedev(1 << 12, 0)),
        ObjectRow(ObjectId(5), stat.S_IFBLK, 0, 0, 0, rdev=os.makedev(0, 1 << 20)),
        ObjectRow(ObjectId(5), stat.S_IFBLK, 0, 0, 0, rdev=(1 << 64) - 1),
        ObjectRow(ObjectId(5), stat.S_IFDIR, row_checks.NOBODY, 0, 0),
        ObjectRow(ObjectId(5), stat.S_IFDIR, 0, row_checks.NOBODY, 0),
        ObjectRow(
            ObjectId(5), stat.S_IFREG | 0o4755, row_checks.NOBODY, 0, 0, size=2, content=chunks.encode_one(2, bytes(32))
        ),
        ObjectRow(
            ObjectId(5), stat.S_IFREG | 0o4755, 0, row_checks.NOBODY, 0, size=2, content=chunks.encode_one(2, bytes(32))
        ),
        ObjectRow(ObjectId(5), stat.S_IFDIR, 0, 0, 0, flags=1),
        ObjectRow(ObjectId(5), stat.S_IFLNK, 0, 0, 0),
        ObjectRow(ObjectId(5), stat.S_IFIFO, 0, 0, 0, content=b"x"),
        ObjectRow(ObjectId(5), stat.S_IFDIR, 0, 0, 0, xattrs=((b"user.b", b""), (b"user.a", b""))),
        ObjectRow(ObjectId(5), stat.S_IFDIR, 0, 0, 0, xattrs=((b"user.a", bytes(70_000)),)),
    ],
)
def test_impossible_objects_are_refused(row: ObjectRow) -> None:
    """Well-formed bytes of an object that cannot exist are refused."""
    with pytest.raises(WireError):
        row_checks.check_row(rows.encode_object(row))


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"o",
        rows.object_key(ROOT),
        rows.object_key(5) + b"x",
        rows.name_key(5, b".."),
        b"c",
        rows.chunk_key(0),
        rows.chunk_key(1) + b"x",
        rows.chunk_key(1 << 47),
    ],
)
def test_malformed_keys_are_refused(key: bytes) -> None:
    """A drop names an object other than the root, or a legal name."""
    with pytest.raises(WireError):
        row_checks.check_key(key)


@pytest.mark.parametrize("row", [(0, 5), (1, 0), (1, chunks.DEVICE_CHUNK + 1), (chunks.DEVICE_CHUNKS_MAX + 1, 5)])
def test_impossible_chunks_are_refused(row: tuple[int, int]) -> None:
    """A device's chunk has a number and a length that a device can have."""
    with pytest.raises(WireError, match="chunk"):
        row_checks.check_row(rows.encode_chunk(*row, bytes(32)))
    with pytest.raises(WireError, match="chunk"):
        row_checks.check_row(rows.encode_chunk(1, 5, bytes(32)) + b"x")


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
