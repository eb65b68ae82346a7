"""What may be a row: everything that no honest capture would send is refused."""

from __future__ import annotations

import os
import stat

import pytest

from agent.core import chunks, row_checks, rows
from agent.core.errors import WireError
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import ObjectRow


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
