"""Names that were marked: exactly while there are few, else nearly: one of some thousands of others passes for marked then.

Names are hashes, so their own bytes spread them. Which of these are taken is drawn for each collection: what passed for marked
once goes the next time.
"""

from __future__ import annotations

import random
import struct
from typing import Protocol

_BITS_A_NAME = 32
_FOUR = struct.Struct(">4I")
_NAME, _TAKEN = 32, 16
_MOST_BITS = 1 << 32


class Marks(Protocol):
    """Set of names."""

    def add(self, name: bytes, /) -> None: ...

    def __contains__(self, name: object, /) -> bool: ...


def marks_for(count: int, exact: int) -> Marks:
    """For about ``count`` names; those of up to ``exact`` are remembered one by one (some 130 bytes each), else by four bits of
    ``_BITS_A_NAME`` each: 80 MiB for 20 million, and one in 5,000 that is not marked passes for it."""
    return set[bytes]() if count <= exact else NearMarks(count, random.SystemRandom().randrange(_NAME - _TAKEN + 1))


class NearMarks:
    """See the module. ``taken``: from which of its bytes on a name is looked at."""

    def __init__(self, count: int, taken: int) -> None:
        self._size = min(_MOST_BITS, max(1 << 16, count * _BITS_A_NAME))
        self._bits = bytearray(self._size // 8 + 1)
        self._taken = taken

    def add(self, name: bytes, /) -> None:
        """Mark a name."""
        bits, size = self._bits, self._size
        for value in _FOUR.unpack_from(name, self._taken):
            at = value % size
            bits[at >> 3] |= 1 << (at & 7)

    def __contains__(self, name: object, /) -> bool:
        if not isinstance(name, bytes):
            return False
        bits, size = self._bits, self._size
        for value in _FOUR.unpack_from(name, self._taken):
            at = value % size
            if not bits[at >> 3] & 1 << (at & 7):
                return False
        return True
