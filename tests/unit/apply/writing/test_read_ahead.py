"""Reading ahead: the same bytes in the same order, errors in their place, no thread left."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from agent.apply.writing.read_ahead import DEPTH, read_ahead
from agent.core.chunks import DATA, HOLE, Chunk


def _entries(count: int) -> list[Chunk]:
    return [Chunk(HOLE if number % 5 == 4 else DATA, number + 1, b"%d" % number) for number in range(count)]


def test_bytes_come_in_order() -> None:
    """Every entry once, holes without bytes."""
    entries = _entries(3 * DEPTH)
    found = list(read_ahead(entries, lambda entry: entry.name))
    assert [(entry, b"" if entry.kind == HOLE else entry.name) for entry in entries] == found


def test_an_error_is_raised_at_its_entry() -> None:
    """What was before it has been given; the thread ends."""

    def read(entry: Chunk) -> bytes:
        if entry.name == b"7":
            raise ValueError("lost")
        return entry.name

    given: list[bytes] = []
    with pytest.raises(ValueError, match="lost"):
        given.extend(data for _, data in read_ahead(_entries(100), read))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("apply-ahead")]


def test_reading_stops_with_the_writer() -> None:
    """Whoever closes the iterator early leaves no thread, and little was read in vain."""
    asked: list[bytes] = []

    def read(entry: Chunk) -> bytes:
        asked.append(entry.name)
        return entry.name

    with closing(read_ahead(_entries(10_000), read)) as chunks:
        next(chunks)
    assert len(asked) <= 2 * DEPTH
