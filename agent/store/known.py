"""Which chunk names may have been captured here before, ``local.known`` beside the local facts: 4 MiB, whatever the tree holds.

One bit a name, chosen by its first bytes. A bit that is not set certainly was never learned, so the chunk is new and travels
unasked; one that is may be another name's, then the peers are asked, which costs a question and no more. A million names set
3 % of the bits, ten million a quarter.

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

_MAGIC = b"hikn\x00\x00\x00\x01"
_BITS = 25
_SIZE = 1 << (_BITS - 3)
_SHIFT = 64 - _BITS
#: New names after which it is written: 64 bytes a name.
_WRITTEN_AFTER = 65_536
_FIRST = struct.Struct(">Q")
_log = structlog.get_logger("store")


class KnownNames:
    """See the module. Read when it is first needed; any thread. ``anew``: nothing was ever learned, unless the file says so."""

    def __init__(self, path: str, anew: bool) -> None:
        self._path = path
        self._anew = anew
        self._lock = threading.Lock()
        self._bits: bytearray | None = None
        self._unwritten = 0

    def begin(self) -> None:
        """Names will be learned here: from now on a file that is not there means that it was lost."""
        with self._lock:
            self._opened()

    def among(self, names: Sequence[bytes]) -> set[bytes]:
        """Those that may have been learned; what it leaves out certainly was not."""
        with self._lock:
            bits = self._opened()
            return {name for name in names if bits[(at := _place(name)) >> 3] & 1 << (at & 7)}

    def learn(self, names: Sequence[bytes]) -> None:
        """These have been captured."""
        with self._lock:
            bits = self._opened()
            for name in names:
                at = _place(name)
                bits[at >> 3] |= 1 << (at & 7)
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
            data = file.read(len(_MAGIC) + _SIZE + 1)
        if len(data) == len(_MAGIC) + _SIZE and data.startswith(_MAGIC):
            return bytearray(data[len(_MAGIC) :])
        if data or not self._anew:
            return bytearray(b"\xff" * _SIZE)
        bits = bytearray(_SIZE)
        self._write(bits)
        return bits

    def _write(self, bits: bytearray) -> None:
        """As a whole, and unsynced: what a power cut takes back costs a transfer. So does a disk without room."""
        new = self._path + ".new"
        try:
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                pwrite_all(fd, _MAGIC + (bits if self._unwritten else b""), 0)
                # Nothing was learned yet: a hole takes no writing.
                os.ftruncate(fd, len(_MAGIC) + _SIZE)
            finally:
                os.close(fd)
            os.replace(new, self._path)
        except OSError as error:
            _log.warning("chunk names that were captured are not kept", path=self._path, reason=error.strerror)
        self._unwritten = 0


def _place(name: bytes) -> int:
    return _FIRST.unpack_from(name)[0] >> _SHIFT  # type: ignore[no-any-return]  # struct's values have no types
