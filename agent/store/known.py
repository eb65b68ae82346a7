"""Which chunk names may have been captured here before, ``local.known`` beside the local facts: 4 MiB at most.

One bit a name, chosen by its first bits. A bit that is not set certainly was never learned, so the chunk is new and travels
unasked; one that is may be another name's, then the peers are asked, which costs a question and no more. Whenever there are fewer
than :data:`_SPARSE` bits a name there are four times as many, of which four stand for each that was set. A hundred thousand names
so set 2 % of the bits, a million 5 %, ten million 27 %.

It is written when it is closed and after so many new names: a kill loses the last of these, and what they name travels unasked
once more. Where nothing says what was learned, everything may have been.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Sequence
from contextlib import suppress

import structlog

from agent.fs.content import pwrite_all

_MAGIC = b"hikn\x00\x00\x00\x02"
#: How many names were learned: after the magic, before the bits.
_COUNT = struct.Struct(">Q")
_HEAD = len(_MAGIC) + _COUNT.size
#: Bytes of bits, as few as at first, as many as at most.
_SIZES = (1 << 16, 1 << 18, 1 << 20, 1 << 22)
_SPARSE = 128
#: New names after which it is written: 64 bytes a name.
_WRITTEN_AFTER = 65_536
_FIRST = struct.Struct(">Q")
_WORD = 64
_log = structlog.get_logger("store")


class KnownNames:
    """See the module. Read when it is first needed; any thread. ``anew``: nothing was ever learned, unless the file says so."""

    def __init__(self, path: str, anew: bool) -> None:
        self._path = path
        self._anew = anew
        self._lock = threading.Lock()
        self._bits: bytearray | None = None
        #: How many names set one.
        self._count = 0
        self._unwritten = 0

    def begin(self) -> None:
        """Names will be learned here: from now on a file that is not there means that it was lost."""
        with self._lock:
            self._opened()

    def among(self, names: Sequence[bytes]) -> set[bytes]:
        """Those that may have been learned; what it leaves out certainly was not."""
        with self._lock:
            bits = self._opened()
            shift = _shift(bits)
            return {name for name in names if bits[(at := _first(name) >> shift) >> 3] & 1 << (at & 7)}

    def learn(self, names: Sequence[bytes]) -> None:
        """These have been captured."""
        with self._lock:
            bits = self._opened()
            shift = _shift(bits)
            for name in names:
                at = _first(name) >> shift
                if not bits[at >> 3] & 1 << (at & 7):
                    bits[at >> 3] |= 1 << (at & 7)
                    self._count += 1
                    if self._count * _SPARSE > len(bits) * 8 and len(bits) < _SIZES[-1]:
                        self._bits = bits = _twice_as_many(_twice_as_many(bits))
                        shift = _shift(bits)
            self._unwritten += len(names)
            if self._unwritten >= _WRITTEN_AFTER:
                self._write(bits)

    def close(self) -> None:
        """Write what is not yet written; safe to call twice."""
        with self._lock:
            if self._bits is not None and self._unwritten:
                self._write(self._bits)

    def _opened(self) -> bytearray:
        if self._bits is None:
            self._bits = self._read()
        return self._bits

    def _read(self) -> bytearray:
        data = b""
        with suppress(OSError), open(self._path, "rb") as file:
            data = file.read(_HEAD + _SIZES[-1] + 1)
        if data.startswith(_MAGIC) and len(data) - _HEAD in _SIZES:
            (self._count,) = _COUNT.unpack_from(data, len(_MAGIC))
            return bytearray(memoryview(data)[_HEAD:])
        if data or not self._anew:
            return bytearray(b"\xff" * _SIZES[0])
        bits = bytearray(_SIZES[0])
        self._write(bits)
        return bits

    def _write(self, bits: bytearray) -> None:
        """As a whole, and unsynced: what a power cut takes back costs a transfer. So does a disk without room."""
        new = self._path + ".new"
        try:
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                pwrite_all(fd, _MAGIC + _COUNT.pack(self._count) + bits, 0)
            finally:
                os.close(fd)
            os.replace(new, self._path)
        except OSError as error:
            _log.warning("chunk names that were captured are not kept", path=self._path, reason=error.strerror)
        self._unwritten = 0


def _first(name: bytes) -> int:
    return _FIRST.unpack_from(name)[0]  # type: ignore[no-any-return]  # struct's values have no types


def _shift(bits: bytearray) -> int:
    """By how much the first bits of a name are moved to be the place of one of these."""
    return _WORD - (len(bits) * 8 - 1).bit_length()


def _twice_as_many(bits: bytearray) -> bytearray:
    """Each bit stands for two longer beginnings of names, and nobody knows which of them was learned: both are set."""
    more = bytearray(2 * len(bits))
    more[0::2], more[1::2] = bits.translate(_LOWER_BITS_TWICE), bits.translate(_UPPER_BITS_TWICE)
    return more


def _each_twice(four: int) -> int:
    return sum(3 << 2 * at for at in range(4) if four & 1 << at)


#: By a byte of bits: the first and the second byte of what they become.
_LOWER_BITS_TWICE = bytes(_each_twice(byte & 15) for byte in range(256))
_UPPER_BITS_TWICE = bytes(_each_twice(byte >> 4) for byte in range(256))
