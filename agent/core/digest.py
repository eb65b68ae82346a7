"""The digest of a dataset: equal digests mean equal rows, at the cost of what changed.

Each row is hashed (BLAKE3) into one of 65,536 buckets, chosen by the first 16 bits of the BLAKE3 of its key. A bucket is the
sum of its rows' hashes modulo 2**256; 256 buckets make a group; the digest is the BLAKE3 of the 256 group hashes. It
finds accidents; it is not a proof against somebody who forges sums (DESIGN section 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from blake3 import blake3

from agent.core.rows import key_of

BUCKETS = 1 << 16
GROUP = 256
WIDTH = 32
_MODULUS = 1 << 256
_GROUP_BYTES = GROUP * WIDTH


class Digest:
    """The bucket sums of one state (2 MiB). Not thread-safe: it belongs to the catalog's writer."""

    def __init__(self) -> None:
        self._sums = bytearray(BUCKETS * WIDTH)
        empty = blake3(bytes(_GROUP_BYTES)).digest()
        self._groups = bytearray(empty * (BUCKETS // GROUP))
        self._touched: set[int] = set()
        self._stale: set[int] = set()

    def load(self, buckets: Iterable[tuple[int, bytes]]) -> None:
        """Set sums as stored; the others stay zero."""
        for number, total in buckets:
            self._sums[number * WIDTH : (number + 1) * WIDTH] = total
            self._stale.add(number // GROUP)

    def add(self, row: bytes) -> None:
        """A row begins to live."""
        self._move(row, 1)

    def remove(self, row: bytes) -> None:
        """A row ends."""
        self._move(row, -1)

    def value(self) -> bytes:
        """The digest now: 32 bytes."""
        sums = memoryview(self._sums)
        for group in self._stale:
            self._groups[group * WIDTH : (group + 1) * WIDTH] = blake3(
                sums[group * _GROUP_BYTES : (group + 1) * _GROUP_BYTES]
            ).digest()
        self._stale.clear()
        return blake3(self._groups).digest()

    def take_touched(self) -> Iterator[tuple[int, bytes]]:
        """``(bucket, sum)`` of what changed since the last call, in order, to be stored with the commit."""
        touched = sorted(self._touched)
        self._touched.clear()
        for number in touched:
            yield number, bytes(self._sums[number * WIDTH : (number + 1) * WIDTH])

    def bucket(self, number: int) -> bytes:
        """One sum, for comparing two states bucket by bucket."""
        return bytes(self._sums[number * WIDTH : (number + 1) * WIDTH])

    def _move(self, row: bytes, sign: int) -> None:
        number = bucket_of(key_of(row))
        at = number * WIDTH
        total = int.from_bytes(self._sums[at : at + WIDTH], "big")
        total = (total + sign * int.from_bytes(blake3(row).digest(), "big")) % _MODULUS
        self._sums[at : at + WIDTH] = total.to_bytes(WIDTH, "big")
        self._touched.add(number)
        self._stale.add(number // GROUP)


def bucket_of(key: bytes) -> int:
    """The bucket of a row's key."""
    digest = blake3(key).digest()
    return digest[0] << 8 | digest[1]


def digest_of(rows: Iterable[bytes]) -> bytes:
    """The digest of a whole set of rows, from nothing."""
    digest = Digest()
    for row in rows:
        digest.add(row)
    return digest.value()
