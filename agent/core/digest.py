"""The digest of a dataset: equal digests mean equal rows, at the cost of what changed.

Each row is hashed (xxh3_128) into one of 65,536 buckets, chosen by the last 16 bits of that hash (docs/decisions/0005). A
bucket holds the sums of its rows' upper and lower 64 bits, each modulo 2**64, little-endian; 256 buckets make a group; the
digest is the BLAKE3 of the 256 groups' BLAKE3. It finds accidents; it is not a proof against somebody who forges sums:
no sum of hashes is.

Sums are stored in blocks of 64, so that a commit of many rows writes a thousand blocks and not as many sums as it has rows.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator

from blake3 import blake3
from xxhash import xxh3_128_digest

BUCKETS = 1 << 16
GROUP = 256
#: Bytes of a digest, and of one bucket's sums.
WIDTH = 32
SUM_BYTES = 16
#: Buckets of one stored block, and its bytes.
BLOCK = 64
BLOCK_BYTES = BLOCK * SUM_BYTES
_GROUP_BYTES = GROUP * SUM_BYTES
_BLOCKS_A_GROUP = GROUP // BLOCK
_MASK = (1 << 64) - 1
_halves = struct.Struct(">QQ").unpack


class Digest:
    """The bucket sums of one state (1 MiB). Not thread-safe: it belongs to the catalog's writer."""

    def __init__(self) -> None:
        self._sums = array("Q", bytes(BUCKETS * SUM_BYTES))
        empty = blake3(bytes(_GROUP_BYTES)).digest()
        self._groups = bytearray(empty * (BUCKETS // GROUP))
        #: Blocks that changed since they were taken, and since the groups were hashed.
        self._touched: set[int] = set()
        self._stale: set[int] = set()

    def load(self, blocks: Iterable[tuple[int, bytes]]) -> None:
        """Set blocks as stored; the others stay zero."""
        for number, sums in blocks:
            self._sums[number * 2 * BLOCK : (number + 1) * 2 * BLOCK] = _turned(array("Q", sums))
            self._stale.add(number)

    def add(self, rows: Iterable[bytes]) -> None:
        """Rows begin to live."""
        self._move(rows, 1)

    def remove(self, rows: Iterable[bytes]) -> None:
        """Rows end."""
        self._move(rows, -1)

    def _move(self, rows: Iterable[bytes], sign: int) -> None:
        sums, mask = self._sums, _MASK
        blocks: set[int] = set()
        for row in rows:
            high, low = _halves(xxh3_128_digest(row))
            at = (low & 0xFFFF) << 1
            sums[at] = sums[at] + sign * high & mask
            at += 1
            sums[at] = sums[at] + sign * low & mask
            blocks.add(at >> 7)
        self._touched |= blocks
        self._stale |= blocks

    def value(self) -> bytes:
        """The digest now: 32 bytes."""
        self._refresh()
        return blake3(self._groups).digest()

    def _refresh(self) -> None:
        for group in {block // _BLOCKS_A_GROUP for block in self._stale}:
            sums = self._bytes(group * GROUP, GROUP)
            self._groups[group * WIDTH : (group + 1) * WIDTH] = blake3(sums).digest()
        self._stale.clear()

    def take_touched(self) -> Iterator[tuple[int, bytes]]:
        """``(number, sums)`` of the blocks that changed since the last call, in order, to be stored with the commit."""
        touched = sorted(self._touched)
        self._touched.clear()
        for number in touched:
            yield number, self._bytes(number * BLOCK, BLOCK)

    def groups(self) -> bytes:
        """The hashes of all groups, 32 bytes each: what the digest is made of."""
        self._refresh()
        return bytes(self._groups)

    def group(self, number: int) -> bytes:
        """The sums of the 256 buckets of one group."""
        return self._bytes(number * GROUP, GROUP)

    def bucket(self, number: int) -> bytes:
        """The sums of one bucket, for comparing two states bucket by bucket."""
        return self._bytes(number, 1)

    def _bytes(self, first: int, count: int) -> bytes:
        """The sums of ``count`` buckets as they are hashed and stored."""
        return _turned(self._sums[2 * first : 2 * (first + count)]).tobytes()


def _turned(sums: array[int]) -> array[int]:
    """Between this machine's order of bytes and little-endian."""
    if sys.byteorder == "big":
        sums.byteswap()
    return sums


def is_among(row: bytes, buckets: bytes) -> bool:
    """Whether a row is in one of these: a bit for each bucket, the first the lowest of the first byte."""
    number = bucket_of(row)
    return bool(buckets[number >> 3] >> (number & 7) & 1)


def bucket_of(row: bytes) -> int:
    """The bucket of a row."""
    return _halves(xxh3_128_digest(row))[1] & 0xFFFF  # type: ignore[no-any-return]  # struct's values have no types


def digest_of(rows: Iterable[bytes]) -> bytes:
    """The digest of a whole set of rows, from nothing."""
    digest = Digest()
    digest.add(rows)
    return digest.value()
