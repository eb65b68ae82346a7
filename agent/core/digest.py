"""The digest of a dataset: equal digests mean equal rows, at the cost of what changed.

Each row is hashed (BLAKE3) into one of 65,536 buckets, chosen by the first 16 bits of that hash (docs/decisions/0005). A
bucket is the sum of its rows' hashes modulo 2**256; 256 buckets make a group; the digest is the BLAKE3 of the 256 group
hashes. It finds accidents; it is not a proof against somebody who forges sums (DESIGN section 4).

Sums are stored in blocks of 64, so that a commit of many rows writes a thousand blocks and not as many sums as it has rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from blake3 import blake3

BUCKETS = 1 << 16
GROUP = 256
WIDTH = 32
#: Sums of one stored block, and its bytes.
BLOCK = 64
BLOCK_BYTES = BLOCK * WIDTH
_MASK = (1 << 256) - 1
_GROUP_BYTES = GROUP * WIDTH
_BLOCKS_A_GROUP = GROUP // BLOCK


class Digest:
    """The bucket sums of one state (2 MiB). Not thread-safe: it belongs to the catalog's writer."""

    def __init__(self) -> None:
        self._sums = bytearray(BUCKETS * WIDTH)
        empty = blake3(bytes(_GROUP_BYTES)).digest()
        self._groups = bytearray(empty * (BUCKETS // GROUP))
        #: Blocks that changed since they were taken, and since the groups were hashed.
        self._touched: set[int] = set()
        self._stale: set[int] = set()

    def load(self, blocks: Iterable[tuple[int, bytes]]) -> None:
        """Set blocks as stored; the others stay zero."""
        for number, sums in blocks:
            self._sums[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES] = sums
            self._stale.add(number)

    def add(self, rows: Iterable[bytes]) -> None:
        """Rows begin to live."""
        self._move(rows, 1)

    def remove(self, rows: Iterable[bytes]) -> None:
        """Rows end."""
        self._move(rows, -1)

    def _move(self, rows: Iterable[bytes], sign: int) -> None:
        sums, number_of = self._sums, int.from_bytes
        blocks: set[int] = set()
        for row in rows:
            hashed = blake3(row).digest()
            bucket = hashed[0] << 8 | hashed[1]
            at = bucket << 5
            total = number_of(sums[at : at + 32], "big") + sign * number_of(hashed, "big") & _MASK
            sums[at : at + 32] = total.to_bytes(32, "big")
            blocks.add(bucket >> 6)
        self._touched |= blocks
        self._stale |= blocks

    def value(self) -> bytes:
        """The digest now: 32 bytes."""
        sums = memoryview(self._sums)
        for group in {block // _BLOCKS_A_GROUP for block in self._stale}:
            self._groups[group * WIDTH : (group + 1) * WIDTH] = blake3(
                sums[group * _GROUP_BYTES : (group + 1) * _GROUP_BYTES]
            ).digest()
        self._stale.clear()
        return blake3(self._groups).digest()

    def take_touched(self) -> Iterator[tuple[int, bytes]]:
        """``(number, sums)`` of the blocks that changed since the last call, in order, to be stored with the commit."""
        touched = sorted(self._touched)
        self._touched.clear()
        for number in touched:
            yield number, bytes(self._sums[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES])

    def bucket(self, number: int) -> bytes:
        """One sum, for comparing two states bucket by bucket."""
        return bytes(self._sums[number * WIDTH : (number + 1) * WIDTH])


def bucket_of(row: bytes) -> int:
    """The bucket of a row."""
    hashed = blake3(row).digest()
    return hashed[0] << 8 | hashed[1]


def digest_of(rows: Iterable[bytes]) -> bytes:
    """The digest of a whole set of rows, from nothing."""
    digest = Digest()
    digest.add(rows)
    return digest.value()
