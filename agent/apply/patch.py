"""What differs between two contents, offset by offset. Pure: chunk lists in, ranges out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile

from agent.core.chunks import Entry


def changed(old: Iterable[Entry], new: Iterable[Entry]) -> Iterator[tuple[int, Entry]]:
    """``(offset, entry)`` of every entry of ``new`` that does not stand at the same offset in ``old``, in file order.

    Both are data and hole entries from offset 0 (``chunks.unfold``). A hole of ``new`` inside a larger hole of ``old``
    is taken for changed: punching it again costs nothing."""
    return ((offset, wanted) for offset, wanted, _ in replaced(old, new))


def replaced(old: Iterable[Entry], new: Iterable[Entry]) -> Iterator[tuple[int, Entry, Entry | None]]:
    """:func:`changed` with the entry of ``old`` that begins at the same offset, if one does."""
    theirs = _placed(old)
    at, entry = next(theirs, (-1, None))
    for offset, wanted in _placed(new):
        while entry is not None and at < offset:
            at, entry = next(theirs, (-1, None))
        was = entry if at == offset else None
        if was != wanted:
            yield offset, wanted, was


def changed_bytes(old: Iterable[Entry], new: Iterable[Entry], end: int) -> int:
    """How many bytes before ``end`` :func:`changed` covers."""
    before_end = takewhile(lambda one: one[0] < end, changed(old, new))
    return sum(min(entry.length, end - offset) for offset, entry in before_end)


def _placed(entries: Iterable[Entry]) -> Iterator[tuple[int, Entry]]:
    offset = 0
    for entry in entries:
        yield offset, entry
        offset += entry.length
