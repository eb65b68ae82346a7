"""Extents as runs of chunks."""

from __future__ import annotations

import random

from agent.capture.device.runs import (
    begins_at,
    bytes_of,
    chunk_count,
    chunk_runs,
    extents_of,
    in_reads,
    united,
    within,
    without,
)
from agent.core.chunks import DEVICE_CHUNK
from agent.watch.blocks.ports import DirtyExtent

C = DEVICE_CHUNK


def test_chunks_that_are_touched() -> None:
    """By a byte as by all of them; merged where they meet, and no further than the device goes."""
    extents = [DirtyExtent(C - 1, C + 1), DirtyExtent(2 * C, 3 * C), DirtyExtent(9 * C, 20 * C), DirtyExtent(7, 7)]
    assert [(1, 3), (10, 11)] == chunk_runs(extents, 10 * C + 5)


def test_last_chunk() -> None:
    """Of a device that ends in the middle of one, and where a chunk begins."""
    assert (1, 2, 0, 5 * C) == (chunk_count(C), chunk_count(C + 1), begins_at(1), begins_at(6))


def test_there_and_back(seed: int) -> None:
    """Runs, their extents and the runs of these are the same; in reads they are as long; with others they are a union."""
    chosen = random.Random(seed)
    one = {chosen.randrange(1, 100) for _ in range(30)}
    other = {chosen.randrange(1, 100) for _ in range(30)}
    runs = united([(number, number) for number in one], [(number, number) for number in other])
    numbers = {number for first, last in runs for number in range(first, last + 1)}
    reads = list(in_reads(runs, 4))
    assert (one | other, runs) == (numbers, chunk_runs(extents_of(runs), 100 * C))
    assert (len(numbers) * C, True) == (bytes_of(reads), all(last - first < 4 for first, last in reads))


def test_less_some_chunks(seed: int) -> None:
    """What is left out is in no run, everything else is, and it is told which were left out."""
    chosen = random.Random(seed)
    one = {chosen.randrange(1, 100) for _ in range(60)}
    other = sorted({chosen.randrange(1, 100) for _ in range(30)})
    runs, left = without(united([(number, number) for number in one], ()), other)
    numbers = {number for first, last in runs for number in range(first, last + 1)}
    assert (one - set(other), sorted(one & set(other))) == (numbers, left)


def test_within_parts() -> None:
    """Parts that meet are one; what reaches out of them by a byte is not within."""
    parts = [DirtyExtent(10, 20), DirtyExtent(0, 10), DirtyExtent(30, 40)]
    found = [within([extent], parts) for extent in map(DirtyExtent, (5, 19, 30, 20, 0), (15, 21, 40, 30, 40))]
    assert ([True, False, True, False, False], True) == (found, within([], []))
