"""Rows: one encoding, and refusal of everything that no honest capture would send."""

from __future__ import annotations

import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import chunks, rows
from agent.core.errors import WireError
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import NameRow, ObjectRow

NAMES = st.binary(min_size=1, max_size=255).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..", b".hikae")
)
XATTRS = st.dictionaries(
    st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name), st.binary(max_size=40), max_size=4
).map(lambda found: tuple(sorted(found.items())))
IDS = st.integers(2, (1 << 63) - 1).map(ObjectId)


@st.composite
def objects(draw: st.DrawFn) -> ObjectRow:
    """Any legal object."""
    kind = draw(st.sampled_from([stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK]))
    size, content, rdev = 0, b"", 0
    if kind == stat.S_IFREG:
        lengths = draw(st.lists(st.integers(1, chunks.MAX_CHUNK), max_size=5))
        size = sum(lengths)
        content = chunks.encode(chunks.ListEntry(chunks.DATA, length, bytes(32)) for length in lengths)
    elif kind == stat.S_IFLNK:
        content = draw(st.binary(min_size=1, max_size=100).filter(lambda target: b"\0" not in target))
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        rdev = os.makedev(draw(st.integers(0, (1 << 12) - 1)), draw(st.integers(0, (1 << 20) - 1)))
    return ObjectRow(
        draw(IDS),
        kind | draw(st.integers(0, 0o7777)),
        draw(st.integers(0, rows.NOBODY - 1)),
        draw(st.integers(0, rows.NOBODY - 1)),
        draw(st.integers(-(rows.SECOND << 63), (rows.SECOND << 63) - 1)),
        draw(st.sampled_from([0, rows.FLAG_APPEND, rows.FLAG_IMMUTABLE, rows.FLAGS_KEPT])),
        size,
        rdev,
        draw(XATTRS),
        content,
    )


@given(objects())
def test_an_object_survives_its_encoding(row: ObjectRow) -> None:
    """Encoding, checking and encoding again gives the same row and the same bytes."""
    data = rows.encode_object(row)
    assert row == rows.check_row(data)
    assert rows.object_key(row.id) == rows.key_of(data)
    assert row.id == rows.object_id_of_key(rows.key_of(data))


@given(IDS, NAMES, IDS)
def test_a_name_survives_its_encoding(parent: ObjectId, name: bytes, child: ObjectId) -> None:
    """A name row and its key give back parent, name and object."""
    data = rows.encode_name(parent, name, child)
    assert NameRow(parent, name, child) == rows.check_row(data)
    assert rows.name_key(parent, name) == rows.key_of(data)
    assert (parent, name) == rows.parent_and_name_of_key(rows.key_of(data))


@given(objects(), st.data())
def test_a_row_cut_short_is_refused_or_another_row(row: ObjectRow, data: st.DataObject) -> None:
    """No prefix of a row passes for the same row, and nothing but WireError is raised."""
    encoded = rows.encode_object(row)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    try:
        assert rows.check_row(cut) != row
    except WireError:
        pass


@given(st.binary(max_size=200))
def test_noise_is_refused_cleanly(noise: bytes) -> None:
    """Arbitrary bytes raise WireError or are a canonical row, never anything else."""
    try:
        row = rows.check_row(noise)
    except WireError:
        return
    again = (
        rows.encode_object(row) if isinstance(row, ObjectRow) else rows.encode_name(row.parent, row.name, row.object)
    )
    assert noise == again


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/etc", b"a\0b", b"x" * 256])
def test_names_that_leave_the_dataset_are_refused(name: bytes) -> None:
    """A name is one component of at most 255 bytes, nothing else."""
    with pytest.raises(WireError):
        rows.check_name(ROOT, name)


def test_our_own_directory_is_private_in_the_root_only() -> None:
    """`.hikae` is refused in the root and legal below."""
    with pytest.raises(WireError):
        rows.check_name(ROOT, b".hikae")
    rows.check_name(ObjectId(7), b".hikae")


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
        ObjectRow(ObjectId(5), stat.S_IFDIR, rows.NOBODY, 0, 0),
        ObjectRow(ObjectId(5), stat.S_IFDIR, 0, rows.NOBODY, 0),
        ObjectRow(
            ObjectId(5), stat.S_IFREG | 0o4755, rows.NOBODY, 0, 0, size=2, content=chunks.encode_one(2, bytes(32))
        ),
        ObjectRow(
            ObjectId(5), stat.S_IFREG | 0o4755, 0, rows.NOBODY, 0, size=2, content=chunks.encode_one(2, bytes(32))
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
        rows.check_row(rows.encode_object(row))


@pytest.mark.parametrize("key", [b"", b"o", rows.object_key(ROOT), rows.object_key(5) + b"x", rows.name_key(5, b"..")])
def test_malformed_keys_are_refused(key: bytes) -> None:
    """A drop names an object other than the root, or a legal name."""
    with pytest.raises(WireError):
        rows.check_key(key)
