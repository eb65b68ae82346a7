"""Reads the pages of a trace ring: which sectors were written.

A page is a head (``events/header_page``) and records, each a word of 5 bits type or length and 27 bits time, then its content
(``events/header_event``; ``include/linux/ring_buffer.h`` in the kernel)::

    0       length in the next word, that word included     29  padding: to the end of the page where its time is 0
    1..28   length in words                                  30, 31  a time, 8 bytes together

Of the commit word, bit 31 means that events were lost before the page; with bit 30 their number stands behind the records.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from typing import NamedTuple

from agent.watch.blocks.formats import BlockEvent, RingPage, UnknownFormat

_LOST = 3 << 30
_PADDING, _TIME = 29, 30
_WORD, _TYPE = struct.Struct("=I"), struct.Struct("=H")

#: First letters of ``rwbs`` that a reader passes over: reads, or nothing at all.
READ, NOTHING = ord("R"), -1

#: Bits of the head of a record, which is a C bit field: the type comes first in memory.
_TYPE_SHIFT, _TIME_SHIFT = (0, 5) if sys.byteorder == "little" else (27, 0)


class WrittenSectors(NamedTuple):
    """``(sector, sectors)`` of one kind of event, of a whole disk. ``lost``: events before these are missing."""

    queued: list[tuple[int, int]]
    completed: list[tuple[int, int]]
    lost: bool


class RingReader:
    """Reads pages: what was written on one disk (``device``: its number as the kernel has it). Everything counts as a write that
    is not a read: discards, write-zeroes, and what a later kernel may bring.

    ``completions``: the events that tell of an end; ``ignored``: the first letter of operations that are passed over."""

    def __init__(
        self, page: RingPage, queue: BlockEvent, completions: Sequence[BlockEvent], device: int, ignored: int = READ
    ) -> None:
        self._commit = struct.Struct(f"={page.commit.offset}x{'Q' if page.commit.size == 8 else 'I'}")
        self._data = page.data
        self._device = device
        self._ignored = ignored
        self._unpacks = {queue.id: (queue.unpack, True), **{one.id: (one.unpack, False) for one in completions}}

    def read(self, page: bytes) -> WrittenSectors:
        """What one page tells. Raises ``UnknownFormat`` where it cannot be read to its end."""
        try:
            return self._read(page)
        except struct.error as error:
            raise UnknownFormat(f"a page of {len(page)} bytes ends within a record") from error

    def _read(self, page: bytes) -> WrittenSectors:
        (commit,) = self._commit.unpack_from(page)
        at, end = self._data, self._data + (commit & 0xFFFF_FFFF & ~_LOST)
        if end > len(page):
            raise UnknownFormat(f"a page of {len(page)} bytes claims {end}")
        queued: list[tuple[int, int]] = []
        completed: list[tuple[int, int]] = []
        ignored, device = self._ignored, self._device
        word, event, unpacks = _WORD.unpack_from, _TYPE.unpack_from, self._unpacks
        while at < end:
            (head,) = word(page, at)
            kind = head >> _TYPE_SHIFT & 31
            if 0 < kind < _PADDING:
                body, at = at + 4, at + 4 + 4 * kind
            elif kind >= _TIME:
                at += 8
                continue
            elif kind == 0:
                body, at = at + 8, at + 4 + word(page, at + 4)[0]
            elif head >> _TIME_SHIFT & 0x7FF_FFFF:
                at += 4 + word(page, at + 4)[0]
                continue
            else:
                break
            known = unpacks.get(event(page, body)[0])
            if known is not None:
                number, sector, sectors, operation = known[0].unpack_from(page, body)
                if operation != ignored and number == device and sectors:
                    (queued if known[1] else completed).append((sector, sectors))
        if at > end:
            raise UnknownFormat("a record ends beyond its page")
        return WrittenSectors(queued, completed, bool(commit & _LOST))
