"""The partitions of a disk's image, as its table has them: GPT, or the four primary ones of an MBR and what is in an extended
one.

Formats: UEFI 2.10, 5.3; the MBR's table of four entries at 446. What cannot be is no partition; nothing is believed beyond the
disk's length.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

_SECTOR = 512
_SIGNATURE = b"\x55\xaa"
_GPT_TYPE, _EXTENDED = 0xEE, (0x05, 0x0F, 0x85)
#: Entries of a table that are looked at, and links of a chain of extended partitions.
_MOST = 128
_GPT = struct.Struct("<8s64xQII")
_ENTRY = struct.Struct("<16s16sQQ")
_MBR_ENTRY = struct.Struct("<B3xB3xII")

#: ``(offset, length)`` → bytes; fewer where the disk ends.
ReadDisk = Callable[[int, int], bytes]


class Partition(NamedTuple):
    """``number``: as the system counts it; ``start`` and ``length`` in bytes."""

    number: int
    start: int
    length: int


def partitions_of(read: ReadDisk, size: int) -> list[Partition]:
    """Those of a disk of ``size`` bytes, by number; none where it has no table. Raises as ``read``."""
    first = read(0, _SECTOR)
    if len(first) < _SECTOR or first[510:512] != _SIGNATURE:
        return []
    entries = [_MBR_ENTRY.unpack_from(first, 446 + 16 * at) for at in range(4)]
    found = _gpt(read) if any(entry[1] == _GPT_TYPE for entry in entries) else _mbr(read, entries)
    return [one for one in found if one.length > 0 and 0 < one.start and one.start + one.length <= size]


def _gpt(read: ReadDisk) -> Iterator[Partition]:
    header = read(_SECTOR, _GPT.size)
    if len(header) < _GPT.size:
        return
    magic, table, count, length = _GPT.unpack(header)
    if magic != b"EFI PART" or length < _ENTRY.size or length > 4096:
        return
    for at in range(min(count, _MOST)):
        entry = read(table * _SECTOR + at * length, _ENTRY.size)
        if len(entry) < _ENTRY.size:
            return
        kind, _, start, end = _ENTRY.unpack(entry)
        if kind.strip(b"\0"):
            yield Partition(at + 1, start * _SECTOR, (end + 1 - start) * _SECTOR)


def _mbr(read: ReadDisk, entries: list[tuple[int, int, int, int]]) -> Iterator[Partition]:
    for at, (status, kind, start, count) in enumerate(entries):
        # A filesystem's first sector may end like a table, and has other bytes where entries begin.
        if status not in (0, 0x80) or not kind or not count:
            continue
        if kind in _EXTENDED:
            yield from _logical(read, start)
        else:
            yield Partition(at + 1, start * _SECTOR, count * _SECTOR)


def _logical(read: ReadDisk, base: int) -> Iterator[Partition]:
    """Those in an extended partition: a chain of tables, each with one partition and the way to the next."""
    at, number = base, 5
    while at and number < _MOST:
        sector = read(at * _SECTOR, _SECTOR)
        if len(sector) < _SECTOR or sector[510:512] != _SIGNATURE:
            return
        (_, kind, start, count), (_, _, following, _) = (_MBR_ENTRY.unpack_from(sector, 446 + 16 * n) for n in (0, 1))
        if kind and count:
            yield Partition(number, (at + start) * _SECTOR, count * _SECTOR)
        number += 1
        at = base + following if following else 0
