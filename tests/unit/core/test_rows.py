"""Rows: one encoding, and refusal of everything that no honest capture would send."""

from __future__ import annotations

import os
import stat

from hypothesis import given
from hypothesis import strategies as st

from agent.core import chunks, row_checks, rows
from agent.core.errors import WireError
from agent.core.ids import ChunkNumber, ObjectId
from agent.core.rows import ChunkRow, NameRow, ObjectRow, Row

NAMES = st.binary(min_size=1, max_size=255).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..", b".hikae")
)
XATTRS = st.dictionaries(
    st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name), st.binary(max_size=40), max_size=4
).map(lambda found: tuple(sorted(found.items())))
IDS = st.integers(2, (1 << 63) - 1).map(ObjectId)
NUMBERS = st.integers(1, chunks.DEVICE_CHUNKS_MAX).map(ChunkNumber)


@st.composite
def objects(draw: st.DrawFn) -> ObjectRow:
    """Any legal object."""
    kind = draw(st.sampled_from([stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK]))
    size, content, rdev = 0, b"", 0
    if kind == stat.S_IFREG:
        lengths = draw(st.lists(st.integers(1, chunks.MAX_CHUNK), max_size=5))
        size = sum(lengths)
        content = chunks.encode(chunks.Chunk(chunks.DATA, length, bytes(32)) for length in lengths)
    elif kind == stat.S_IFLNK:
        content = draw(st.binary(min_size=1, max_size=100).filter(lambda target: b"\0" not in target))
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        rdev = os.makedev(draw(st.integers(0, (1 << 12) - 1)), draw(st.integers(0, (1 << 20) - 1)))
    return ObjectRow(
        draw(IDS),
        kind | draw(st.integers(0, 0o7777)),
        draw(st.integers(0, row_checks.NOBODY - 1)),
        draw(st.integers(0, row_checks.NOBODY - 1)),
        draw(st.integers(-(rows.SECOND << 63), (rows.SECOND << 63) - 1)),
        draw(st.sampled_from([0, rows.FLAG_APPEND, rows.FLAG_IMMUTABLE, rows.FLAGS_KEPT])),
        size,
        rdev,
        draw(XATTRS),
        content,
    )


def encoded(row: Row) -> bytes:
    """The bytes of any row."""
    if isinstance(row, ObjectRow):
        return rows.encode_object(row)
    return rows.encode_name(*row[:2], row[2]) if isinstance(row, NameRow) else rows.encode_chunk(*row)


@given(objects())
def test_an_object_survives_its_encoding(row: ObjectRow) -> None:
    """Encoding, checking and encoding again gives the same row and the same bytes."""
    data = rows.encode_object(row)
    assert row == row_checks.check_row(data)
    assert rows.object_key(row.id) == rows.key_of(data)
    assert row.id == rows.object_id_of_key(rows.key_of(data))


@given(IDS, NAMES, IDS)
def test_a_name_survives_its_encoding(parent: ObjectId, name: bytes, child: ObjectId) -> None:
    """A name row and its key give back parent, name and object."""
    data = rows.encode_name(parent, name, child)
    assert NameRow(parent, name, child) == row_checks.check_row(data)
    assert rows.name_key(parent, name) == rows.key_of(data)
    assert (parent, name) == rows.parent_and_name_of_key(rows.key_of(data))


@given(NUMBERS, st.integers(1, chunks.DEVICE_CHUNK), st.binary(min_size=32, max_size=32))
def test_a_chunk_survives_its_encoding(number: ChunkNumber, length: int, name: bytes) -> None:
    """A chunk's row and its key give back number, length and name; what it holds is told as a list of one chunk."""
    data = rows.encode_chunk(number, length, name)
    assert ChunkRow(number, length, name) == row_checks.check_row(data)
    assert (rows.CHUNK_TAG, (number, length, name), length) == (
        rows.tag_of(data),
        rows.chunk_columns(data),
        rows.size_of(data),
    )
    assert rows.chunk_key(number) == rows.key_of(data)
    assert (number, number) == (rows.chunk_number_of_key(rows.key_of(data)), rows.holder_of_key(rows.key_of(data)))
    assert [chunks.Chunk(chunks.DATA, length, name)] == chunks.decode(rows.content_of(data))


@given(st.one_of(objects().map(rows.encode_object), st.builds(rows.encode_name, IDS, NAMES, IDS)))
def test_content_of_a_row_is_that_of_a_regular_file(data: bytes) -> None:
    """Nothing else of a tree has content; a row that is cut short says so."""
    row = row_checks.check_row(data)
    expected = row.content if isinstance(row, ObjectRow) and row.kind == stat.S_IFREG else b""
    assert expected == rows.content_of(data)
    for cut in (data[:1], data[:14], data[:30]):
        try:
            assert b"" == rows.content_of(cut)
        except WireError:
            pass


@given(objects(), st.data())
def test_a_row_cut_short_is_refused_or_another_row(row: ObjectRow, data: st.DataObject) -> None:
    """No prefix of a row passes for the same row, and nothing but WireError is raised."""
    encoded = rows.encode_object(row)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    try:
        assert row_checks.check_row(cut) != row
    except WireError:
        pass


@given(st.binary(max_size=200))
def test_noise_is_refused_cleanly(noise: bytes) -> None:
    """Arbitrary bytes raise WireError or are a canonical row, never anything else."""
    try:
        row = row_checks.check_row(noise)
    except WireError:
        return
    assert noise == encoded(row)


@given(objects())
def test_what_an_object_says_without_decoding(row: ObjectRow) -> None:
    """Columns of an object's bytes are what decoding gives."""
    data = rows.encode_object(row)
    assert (row.id, row.mode, row.size) == rows.object_columns(data)
    assert (rows.OBJECT_TAG, row.kind, row.size) == (rows.tag_of(data), rows.file_type_of(data), rows.size_of(data))
    other = rows.encode_object(row._replace(size=row.size + 1, gid=row.gid ^ 1))
    assert rows.access_in(rows.encode_object(row._replace(size=0))) == rows.access_in(data) != rows.access_in(other)


@given(IDS, NAMES, IDS)
def test_what_a_name_says_without_decoding(parent: ObjectId, name: bytes, child: ObjectId) -> None:
    """Columns of a name's bytes are what decoding gives."""
    data = rows.encode_name(parent, name, child)
    assert (rows.NAME_TAG, (parent, child), name) == (rows.tag_of(data), rows.name_columns(data), rows.name_in(data))


@given(
    st.lists(
        st.one_of(
            objects().map(rows.encode_object),
            st.builds(rows.encode_name, IDS, NAMES, IDS),
            st.builds(rows.encode_chunk, NUMBERS, st.just(7), st.just(bytes(32))),
        )
    )
)
def test_rows_come_kind_by_kind(some: list[bytes]) -> None:
    """The order of rows is objects by id, then names by parent and name, then chunks by number."""
    keys = [rows.key_of(row) for row in sorted(some, key=rows.order_of)]
    assert sorted(keys, key=lambda key: (b"onc".index(key[:1]), key[1:])) == keys
