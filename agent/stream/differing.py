"""Where do two states differ? Pure: by the hashes of groups of buckets, then by the sums of the buckets in these.

A row that only one side has, or has otherwise, shows in its bucket there. So the rows of the buckets that differ, whole, are all
that one side needs to become as the other, whatever their pasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agent.core.digest import BUCKETS, GROUP, SUM_BYTES, WIDTH

#: Where more buckets than these differ, all rows are told: finding out of each which bucket it is in would save little.
MOST_BUCKETS = BUCKETS // 2


def differing_groups(ours: bytes, theirs: bytes) -> bytes:
    """The numbers of the groups whose hashes differ, one byte each, rising."""
    ends = range(0, BUCKETS // GROUP * WIDTH, WIDTH)
    return bytes(number for number, at in enumerate(ends) if ours[at : at + WIDTH] != theirs[at : at + WIDTH])


def sums_of_groups(group: Callable[[int], bytes], numbers: Iterable[int]) -> bytes:
    """The sums of all buckets in these groups."""
    return b"".join(map(group, numbers))


def differing_buckets(group: Callable[[int], bytes], numbers: bytes, theirs: bytes) -> bytes:
    """The buckets of the groups ``numbers`` whose sums are not ``theirs``: a bit for each of all buckets, the first the lowest of
    the first byte. Empty where they are so many that all rows may as well be told."""
    found = bytearray(BUCKETS // 8)
    count = 0
    for at, number in enumerate(numbers):
        ours = group(number)
        for bucket in range(GROUP):
            here = slice(bucket * SUM_BYTES, (bucket + 1) * SUM_BYTES)
            there = slice(at * len(ours) + here.start, at * len(ours) + here.stop)
            if ours[here] != theirs[there]:
                bit = number * GROUP + bucket
                found[bit >> 3] |= 1 << (bit & 7)
                count += 1
    return bytes(found) if count <= MOST_BUCKETS else b""
