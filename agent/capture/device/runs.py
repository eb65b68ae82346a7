"""Extents of a device as runs of chunks. Pure.

A run is ``(first, last)``: numbers of chunks, both included; they count from 1.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from agent.core.chunks import DEVICE_CHUNK
from agent.watch.blocks.dirty_map import merged
from agent.watch.blocks.ports import DirtyExtent

Run: TypeAlias = tuple[int, int]


def chunk_count(size: int) -> int:
    """The number of the last chunk of a device of so many bytes."""
    return -(-size // DEVICE_CHUNK)


def begins_at(number: int) -> int:
    """Where a chunk begins, in bytes."""
    return (number - 1) * DEVICE_CHUNK


def chunk_runs(extents: Iterable[DirtyExtent], size: int) -> list[Run]:
    """The chunks that extents touch, merged and rising, as far as a device of ``size`` bytes goes."""
    made: list[Run] = []
    for start, end in sorted(extents):
        end = min(end, size)
        if start >= end:
            continue
        first, last = start // DEVICE_CHUNK + 1, (end - 1) // DEVICE_CHUNK + 1
        if made and first <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(made[-1][1], last))
        else:
            made.append((first, last))
    return made


def united(one: Iterable[Run], other: Iterable[Run]) -> list[Run]:
    """The chunks of both."""
    made: list[Run] = []
    for first, last in sorted([*one, *other]):
        if made and first <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(made[-1][1], last))
        else:
            made.append((first, last))
    return made


def without(runs: Iterable[Run], numbers: Sequence[int]) -> tuple[list[Run], list[int]]:
    """The runs less these rising chunks, and those of these that were in them, rising."""
    if not numbers:
        return list(runs), []
    made: list[Run] = []
    left: list[int] = []
    for first, last in runs:
        begin = first
        for number in numbers[bisect.bisect_left(numbers, first) : bisect.bisect_right(numbers, last)]:
            left.append(number)
            if begin < number:
                made.append((begin, number - 1))
            begin = number + 1
        if begin <= last:
            made.append((begin, last))
    return made, left


def within(extents: Iterable[DirtyExtent], parts: Iterable[DirtyExtent]) -> bool:
    """Whether all of the extents lie in these parts of a device."""
    whole = merged(parts)
    return all(any(low <= start and end <= high for low, high in whole) for start, end in extents)


def bytes_of(runs: Iterable[Run]) -> int:
    """What there is to read, in bytes."""
    return sum(last - first + 1 for first, last in runs) * DEVICE_CHUNK


def extents_of(runs: Iterable[Run]) -> tuple[DirtyExtent, ...]:
    """The bytes of these chunks."""
    return tuple(DirtyExtent(begins_at(first), last * DEVICE_CHUNK) for first, last in runs)


def in_reads(runs: Iterable[Run], most: int) -> Iterator[Run]:
    """The same in runs of at most ``most`` chunks."""
    for first, last in runs:
        for begin in range(first, last + 1, most):
            yield begin, min(begin + most - 1, last)
