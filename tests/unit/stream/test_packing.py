"""Packed rows and implied names: what both sides compute must be the same, and nothing a hostile peer packs is believed."""

from __future__ import annotations

import pytest

from agent.core import chunks
from agent.core.errors import WireError
from agent.core.ids import ROOT, CommitNumber, ObjectId
from agent.core.rows import encode_chunk, encode_name
from agent.stream.messages import NAMES_MAX, RAW, ROWS_MAX, ZSTD, Offer
from agent.stream.packing import implied_names, open_rows, pack_rows
from fakes.stream_fakes import directory_row, file_row

NOTHING = CommitNumber(0)


def packed(rows: bytes, codec: int, length: int) -> Offer:
    """An offer of rows as they travel."""
    return Offer(0, NOTHING, NOTHING, rows, codec=codec, rows_length=length)


def test_rows_come_out_as_they_went_in() -> None:
    """Packed where that saves bytes, raw where it does not."""
    blob = b"".join(directory_row(number) for number in range(2, 200))
    codec, rows = pack_rows(blob)
    assert (ZSTD, True) == (codec, len(rows) < len(blob) // 4)
    assert blob == open_rows(packed(rows, codec, len(blob)))
    assert (RAW, b"short") == pack_rows(b"short")
    assert b"short" == open_rows(packed(b"short", RAW, 0))


@pytest.mark.parametrize("length", [0, 1, 5_999, 6_001, ROWS_MAX + 1])
def test_rows_of_another_length_than_claimed_are_refused(length: int) -> None:
    """Neither more nor less than was said comes out, and never more than may be held."""
    _, rows = pack_rows(bytes(6_000))
    with pytest.raises(WireError):
        open_rows(packed(rows, ZSTD, length))


@pytest.mark.parametrize(
    "rows", [b"", b"no frame", pack_rows(bytes(6_000))[1] + b"more", pack_rows(bytes(6_000))[1][:-3]]
)
def test_rows_that_are_no_frame_are_refused(rows: bytes) -> None:
    """Garbage, something behind the frame, a frame that is cut short."""
    with pytest.raises(WireError):
        open_rows(packed(rows, ZSTD, 6_000))


def test_names_are_those_of_files_in_their_order() -> None:
    """Directories, names and holes imply nothing; a name that stands twice is implied twice."""
    one, two, part = (chunks.name_of(data) for data in (b"one", b"two", b"part"))
    list_of_two = chunks.encode(
        [
            chunks.Chunk(chunks.DATA, 3, two),
            chunks.Chunk(chunks.HOLE, 9),
            chunks.Chunk(chunks.PIECE, 70, part),
        ]
    )
    puts = [
        directory_row(2),
        file_row(3, chunks.encode_one(3, one), 3),
        encode_name(ROOT, b"name", ObjectId(3)),
        file_row(4, list_of_two, 82),
        file_row(5, b"", 0),
        file_row(6, chunks.encode_one(3, one), 3),
    ]
    expected = ((chunks.DATA, one), (chunks.DATA, two), (chunks.PIECE, part), (chunks.DATA, one))
    assert expected == implied_names(puts)


def test_no_more_names_are_implied_than_may_be_asked() -> None:
    """A blob of rows must not make a receiver look up names without a bound."""
    row = file_row(3, chunks.encode_one(3, bytes(32)), 3)
    assert NAMES_MAX == len(implied_names([row] * NAMES_MAX))
    with pytest.raises(WireError):
        implied_names([row] * (NAMES_MAX + 1))


def test_a_chunk_of_a_device_implies_its_name() -> None:
    """Rows of both kinds of content name what they hold, names of a tree nothing."""
    rows = [encode_chunk(3, 65536, b"c" * 32), encode_name(1, b"a", 7), encode_chunk(4, 5, b"d" * 32)]
    assert ((0, b"c" * 32), (0, b"d" * 32)) == implied_names(rows)
