"""A primary that says much in few bytes: batches, patches and lists that stand for more than they look like."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.chunks import (
    DATA,
    FLAT_LIMIT,
    HOLE,
    LEVELS,
    PIECE,
    PIECE_LIMIT,
    UNFOLDED_MAX,
    Chunk,
    encode,
    name_of_list,
)
from agent.core.errors import TryAgain, WireError
from agent.core.ids import NOTHING, ROOT
from agent.core.rows import encode_name
from agent.rpc.codec import decode_answers, decode_batch
from agent.store.vault.codec import PATCH
from agent.stream.messages import OPENED_MAX, PARTS_MAX, PATCHES_MAX, Data, Offer
from agent.stream.receiving.presence import Presence
from fakes.hostile import FILE, ONE, data, offer, opened, seal, take
from fakes.idle import goes_on
from fakes.stream_fakes import Secondary, directory_row, file_row

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1 << 20
RAW_NAME = chunks.name_of(b"content")


@pytest.fixture
def secondary(tmp_path: Path) -> Iterator[Secondary]:
    """With an empty catalog and vault."""
    one = Secondary(tmp_path / "beta")
    yield one
    one.close()


def zeros(count: int) -> Data:
    """Packed chunks of 1 MiB."""
    packed = zstd.compress(bytes(MIB))
    return Data(bytes(count), b"\1" * count, [MIB] * count, [len(packed)] * count, packed * count)


def piece(entries: list[Chunk]) -> tuple[Data, Chunk]:
    """A part of a list as it is sent, and the entry that names it."""
    raw = encode(entries)
    packed = zstd.compress(raw)
    sent = Data(bytes([PIECE]), b"\1", [len(raw)], [len(packed)], packed)
    return sent, Chunk(PIECE, sum(entry.length for entry in entries), name_of_list(raw))


def tower(levels: int, width: int) -> tuple[list[Data], Chunk]:
    """Lists of the same list ``width`` times, so many levels high, over one hole of a byte."""
    sent, top = piece([Chunk(HOLE, 1)])
    parts = [sent]
    for _ in range(levels - 1):
        sent, top = piece([top] * width)
        parts.append(sent)
    return parts, top


def refused_with(secondary: Secondary, parts: list[Data], *content: Chunk, why: str) -> None:
    """A file with this list, and the parts of the list, are refused for this reason."""
    size = sum(entry.length for entry in content)
    rows = [directory_row(ROOT), file_row(FILE, encode(content), size), encode_name(ROOT, b"big", FILE)]
    before, receiver = secondary.digest(), opened(secondary)
    with pytest.raises(WireError, match=why):
        take(receiver, *parts, offer(rows), seal(rows, 3))
    receiver.close()
    assert before == secondary.digest()


@pytest.mark.parametrize("parts", [[zeros(OPENED_MAX // MIB + 1)], [zeros(OPENED_MAX // MIB), data()]])
def test_batch_that_opens_to_more_than_it_may(secondary: Secondary, parts: list[Data]) -> None:
    """The lengths in the clear are summed over the whole batch, before anything is opened."""
    with pytest.raises(WireError, match=r"a batch that stands for 1[67],"):
        opened(secondary).handle(tuple(parts))


def test_rows_that_open_to_more_than_they_may(secondary: Secondary) -> None:
    """Packed rows count by what they unpack to."""
    offers = [Offer(0, ONE, NOTHING, b"x", (), 1, 4 * MIB)] * (OPENED_MAX // (4 * MIB) + 1)
    with pytest.raises(WireError, match="stands for"):
        opened(secondary).handle(tuple(offers))


def test_more_patches_than_may_be_rebuilt_at_once(secondary: Secondary) -> None:
    """Each may be made of sixteen others of a megabyte, whatever it weighs."""
    count = PATCHES_MAX + 1
    lie = Data(bytes(count), bytes([PATCH]) * count, [1] * count, [9] * count, b"x" * 9 * count)
    with pytest.raises(WireError, match="2,049 patches at once"):
        opened(secondary).handle((lie,))


def test_list_that_unfolds_without_an_end(secondary: Secondary) -> None:
    """A few hundred bytes that stand for billions of entries are refused before the applier meets them."""
    parts, top = tower(10, PIECE_LIMIT)
    refused_with(secondary, parts, top, why="stands for more than 268,435,456 entries")


def test_lists_that_are_too_many_together(secondary: Secondary) -> None:
    """Each of a file's lists is within the limit, and all of them are not."""
    parts, top = tower(8, PIECE_LIMIT)
    assert PIECE_LIMIT**7 < UNFOLDED_MAX < FLAT_LIMIT * PIECE_LIMIT**7
    refused_with(secondary, parts, *[top] * FLAT_LIMIT, why="stands for more than 268,435,456 entries")


def test_list_with_too_long_a_part(secondary: Secondary) -> None:
    """No honest list has more entries in one part."""
    sent, top = piece([Chunk(HOLE, 1), Chunk(DATA, 7, chunks.name_of(b"content"))] * (PIECE_LIMIT // 2 + 1))
    refused_with(secondary, [data(), sent], top, why=f"a piece of {2 * (PIECE_LIMIT // 2 + 1)} entries")


def test_list_that_grows_higher_by_each_commit(secondary: Secondary) -> None:
    """What was found whole before counts with its height."""
    parts, top = tower(LEVELS, 1)
    presence = Presence(secondary.vault, goes_on)
    for part in [*parts, piece([top])[0]]:
        opened(secondary).handle((part,))
    presence.require([encode([top])])
    presence.open_lists()
    presence.require([encode([piece([top])[1]])])
    with pytest.raises(WireError, match="lists in lists without an end"):
        presence.open_lists()


def test_long_lists_are_not_opened_anew_for_each_change(secondary: Secondary) -> None:
    """However many parts there are, and however few are remembered: one that is remembered vouches for all below it."""
    receiver = opened(secondary)
    entries = [Chunk(HOLE, number + 1) if number % 2 else Chunk(DATA, 7, RAW_NAME) for number in range(20_000)]
    kept: dict[bytes, bytes] = {}
    content = chunks.fold(entries, kept.__setitem__)
    receiver.handle((data(), *(Data(b"\2", b"\0", [len(raw)], [len(raw)], raw) for raw in kept.values())))
    looks: list[None] = []
    counted = Presence(secondary.vault, lambda: looks.append(None), most=len(kept) // 4)
    counted.require([content])
    counted.open_lists()
    first, looks[:] = len(looks), []
    counted.require([content])
    counted.open_lists()
    assert (len(kept), True) == (first, len(looks) < len(kept) // 4)


def test_opening_lists_ends_when_the_call_does(secondary: Secondary) -> None:
    """A call that is to end does not wait for a long list."""
    parts, top = tower(3, 10)
    receiver = opened(secondary)
    rows = [directory_row(ROOT), file_row(FILE, encode([top]), top.length), encode_name(ROOT, b"big", FILE)]
    receiver.handle((*parts, offer(rows), seal(rows, 3)))

    def end() -> None:
        raise TryAgain("serve a call", "alpha", "the node stops")

    receiver.ends = end
    with pytest.raises(TryAgain):
        receiver.flush()
    receiver.close()


@pytest.mark.parametrize("decode", [decode_batch, decode_answers])
def test_message_of_very_many_parts(decode: object) -> None:
    """Empty parts are counted before they are parsed: each would take a hundred times its bytes."""
    assert callable(decode)
    with pytest.raises(WireError, match="too many parts"):
        decode(b"\x0a\x02\x3a\x00" * (PARTS_MAX + 1))
