"""What differs between two chunk lists, offset by offset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chunking.difference import Differences, changed_bytes, replaced
from agent.core import chunks
from agent.core.chunks import DATA, HOLE, PIECE, Chunk
from agent.core.errors import WireError

_entries = st.lists(
    st.builds(lambda kind, length, name: Chunk(kind, length, bytes([name]) * 32 if kind == DATA else b""),
              st.sampled_from([DATA, DATA, HOLE]), st.integers(1, 3), st.integers(0, 3)),
    max_size=24,
).map(lambda entries: [e for n, e in enumerate(entries) if not (n and e.kind == entries[n - 1].kind == HOLE)])  # fmt: skip


class Lists:
    """Lists that are cut into pieces early, and what was read of them."""

    def __init__(self) -> None:
        self._pieces: dict[bytes, bytes] = {}
        self.read: list[bytes] = []

    def fold(self, entries: list[Chunk], flat: int = 3, piece: int = 2) -> bytes:
        with mock.patch.object(chunks, "FLAT_LIMIT", flat), mock.patch.object(chunks, "PIECE_LIMIT", piece):
            return chunks.fold(entries, self._pieces.__setitem__)

    def __call__(self, name: bytes) -> bytes:
        self.read.append(name)
        return self._pieces[name]


def changed(old: bytes, new: bytes, lists: Callable[[bytes], bytes]) -> Iterator[tuple[int, Chunk]]:
    """What differs, without what was there."""
    return ((offset, entry) for offset, entry, _ in replaced(old, new, lists))


def _bytes(entries: list[Chunk]) -> bytearray:
    out = bytearray()
    for entry in entries:
        out += bytes([entry.name[0] + 1] if entry.name else [0]) * entry.length
    return out


@given(_entries, _entries)
def test_applying_what_changed_gives_the_new_content(old: list[Chunk], new: list[Chunk]) -> None:
    """Truncate or extend with zeros, write the changed entries: the new bytes stand there."""
    lists = Lists()
    file, wanted = _bytes(old), _bytes(new)
    del file[len(wanted) :]
    file += bytes(len(wanted) - len(file))
    for offset, entry in changed(lists.fold(old), lists.fold(new), lists):
        file[offset : offset + entry.length] = _bytes([entry])
    assert wanted == file


@given(_entries, _entries, st.integers(1, 4), st.integers(1, 4))
def test_pieces_make_no_difference(old: list[Chunk], new: list[Chunk], flat: int, other: int) -> None:
    """However the two lists are cut, what differs is what differs between the flat ones."""
    lists = Lists()
    plain = list(replaced(lists.fold(old, 100), lists.fold(new, 100), lists))
    assert plain == list(replaced(lists.fold(old, flat), lists.fold(new, other), lists))


@given(_entries)
def test_nothing_changes_between_equal_lists(entries: list[Chunk]) -> None:
    """And nothing of them is read."""
    lists = Lists()
    assert [] == list(changed(lists.fold(entries), lists.fold(entries), lists))
    assert [] == lists.read


@pytest.mark.parametrize("count", [3, 16_383, 16_384, 20_000])
def test_what_differs_is_gone_over_again(count: int) -> None:
    """However much it is; where it fits into memory no list is read twice."""
    lists = Lists()
    old, new = (lists.fold([Chunk(DATA, 10, (which + n).to_bytes(32)) for n in range(count)]) for which in (0, 10**6))
    differences = Differences(old, new, lists)
    expected = list(replaced(old, new, lists))
    lists.read.clear()
    assert expected == list(differences)
    once = len(lists.read)
    assert expected == list(differences)
    assert (once if count < 16_384 else 2 * once) == len(lists.read)


def test_only_the_chunk_that_differs_is_rewritten() -> None:
    """A change in the middle that keeps lengths touches one chunk."""
    lists = Lists()
    a, b, c, x = (Chunk(DATA, 10, bytes([n]) * 32) for n in range(1, 5))
    old, new, other = (lists.fold(entries) for entries in ([a, b, c], [a, x, c], [a, b, x]))
    assert [(10, x)] == list(changed(old, new, lists))
    assert 10 == changed_bytes(replaced(old, new, lists), 30)
    assert 5 == changed_bytes(replaced(old, other, lists), 25)


def test_of_a_list_that_grew_only_its_end_is_read() -> None:
    """A few hundred pieces of many thousands."""
    lists = Lists()
    entries = [Chunk(DATA, 10, n.to_bytes(32)) for n in range(100_000)]
    old, new = (lists.fold(entries[:count], 1024, chunks.PIECE_LIMIT) for count in (99_000, 100_000))
    grown = list(changed(old, new, lists))
    assert 1000 <= len(grown) < 3000
    assert 1_000_000 - 10 == grown[-1][0]
    assert len(lists.read) < 400


def test_pieces_without_an_end_are_refused() -> None:
    """A list that holds itself, as no honest one can."""
    lists = Lists()
    one = lists.fold([Chunk(DATA, 10, bytes(32))])

    def itself(_: bytes) -> bytes:
        return chunks.encode([Chunk(PIECE, 10, bytes(32))])

    with pytest.raises(WireError):
        list(changed(one, itself(b""), itself))
