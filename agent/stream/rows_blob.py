"""Rows as they travel: a blob of changes, per change ``op u8 (1 put, 2 drop)  length u32  bytes``, big-endian."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from agent.core.commit import Changes
from agent.stream.messages import ROWS_MAX, ROWS_TARGET, bad

PUT, DROP = 1, 2
_CHANGE = struct.Struct(">BI")


def blobs_of(changes: Changes, target: int = ROWS_TARGET) -> Iterator[tuple[int, bytes]]:
    """Rows blobs of about ``target`` bytes, each with its number of changes, in the order given: puts, then drops.

    Raises ``WireError`` for a row that fits no message."""
    pack = _CHANGE.pack
    parts: list[bytes] = []
    size = 0
    for op, rows in ((PUT, changes.puts), (DROP, changes.drops)):
        for row in rows:
            length = len(row)
            if length + 5 > ROWS_MAX:
                raise bad(f"a row of {length} bytes")
            if parts and size + length > target:
                yield len(parts) >> 1, b"".join(parts)
                parts, size = [], 0
            parts.append(pack(op, length))
            parts.append(row)
            size += length + 5
    if parts:
        yield len(parts) >> 1, b"".join(parts)


def changes_in(blob: bytes) -> Changes:
    """The changes of a rows blob. Raises ``WireError`` for a blob that :func:`blobs_of` would not have written."""
    if len(blob) > ROWS_MAX:
        raise bad("too many rows at once")
    puts: list[bytes] = []
    drops: list[bytes] = []
    at, end = 0, len(blob)
    unpack = _CHANGE.unpack_from
    try:
        while at < end:
            op, length = unpack(blob, at)
            at += 5
            row = blob[at : at + length]
            at += length
            if op == PUT:
                puts.append(row)
            elif op == DROP:
                drops.append(row)
            else:
                raise bad(f"a change of kind {op}")
    except struct.error as error:
        raise bad("a change that is cut short") from error
    if at != end:
        raise bad("a change that is cut short")
    return Changes(puts, drops)
