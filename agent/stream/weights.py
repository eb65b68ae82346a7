"""What a batch weighs: of the credit, in the clear, and on who opens it."""

from __future__ import annotations

from collections.abc import Iterable

from agent.stream.messages import (
    OPENED_MAX,
    PATCHES_MAX,
    Absent,
    Announce,
    Begin,
    Data,
    Offer,
    PrimaryPart,
    Seal,
    Sums,
    bad,
)


def weight(batch: Iterable[PrimaryPart]) -> int:
    """Bytes that a batch takes of the credit; both sides count with this one function."""
    total = 0
    for part in batch:
        if isinstance(part, Data):
            total += len(part.payload) + 10 * len(part.kinds)
        elif isinstance(part, Offer):
            total += 32 + len(part.rows) + 33 * len(part.asked)
        elif isinstance(part, Seal):
            total += 96
        elif isinstance(part, Absent):
            total += 32 + 8 * len(part.objects)
        elif isinstance(part, Begin | Sums):
            total += 64 + len(part.buckets)
        elif isinstance(part, Announce):
            total += sum(map(len, part.paths))
    return total


def raw_weight(batch: Iterable[PrimaryPart]) -> int:
    """Bytes of content and of rows in a batch, in the clear."""
    total = 0
    for part in batch:
        if isinstance(part, Data):
            total += sum(part.raw_lengths)
        elif isinstance(part, Offer):
            total += part.rows_length or len(part.rows)
    return total


def check_opened(batch: Iterable[PrimaryPart]) -> None:
    """Raises ``WireError`` where a batch would take more memory or time to open than an honest one, however small it came."""
    opened = raw_weight(batch)
    if opened > OPENED_MAX:
        raise bad(f"a batch that stands for {opened:,} bytes")
    patches = sum(part.codecs.count(2) + part.codecs.count(3) for part in batch if isinstance(part, Data))
    if patches > PATCHES_MAX:
        raise bad(f"{patches:,} patches at once")
