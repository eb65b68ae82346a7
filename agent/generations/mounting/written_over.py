"""What programs write over an image that is mounted: a sparse file without a name, which is gone with the mount.

A chunk is copied into it from below when it is first written to; the moment below never changes.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable

from agent.core.chunks import DEVICE_CHUNK
from agent.fs.content import pwrite_all, read_exact

_RUN = 4096


class WrittenOver:
    """Of an image of ``size`` bytes; for one thread. A bit a chunk is in memory, where any was written. ``close`` throws it
    away."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._size = size
        #: By ``_RUN`` chunks, a bit for each: of those where anything was written.
        self._written: dict[int, bytearray] = {}

    @classmethod
    def open(cls, directory: str, size: int) -> WrittenOver:
        """Nothing is written yet; ``directory`` has the room for what will be. OSError."""
        # Some filesystems make no files without a name: there it loses one at once.
        with tempfile.TemporaryFile(dir=directory) as made:
            fd = os.dup(made.fileno())
        os.ftruncate(fd, size)
        return cls(fd, size)

    def close(self) -> None:
        """What was written is gone."""
        os.close(self._fd)

    def read(self, offset: int, length: int, below: Callable[[int, int], bytes]) -> bytes:
        """A range, less where the image ends; ``below`` reads what was never written. Raises as that, OSError."""
        end = min(offset + length, self._size)
        parts: list[bytes] = []
        at = offset
        while at < end:
            is_here, upto = self._run(at, end)
            parts.append(read_exact(self._fd, at, upto - at) if is_here else below(at, upto - at))
            at = upto
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, offset: int, data: bytes, below: Callable[[int, int], bytes]) -> int:
        """Bytes written: all. OSError, also for what would be behind the end; raises as ``below``."""
        end = offset + len(data)
        if end > self._size:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        for number in (offset // DEVICE_CHUNK, (end - 1) // DEVICE_CHUNK):
            start = number * DEVICE_CHUNK
            upto = min(start + DEVICE_CHUNK, self._size)
            # Only the first and the last chunk of a write can keep something of what is below.
            if not self._is_written(number) and not (offset <= start and upto <= end):
                pwrite_all(self._fd, below(start, upto - start), start)
        pwrite_all(self._fd, data, offset)
        for number in range(offset // DEVICE_CHUNK, (end - 1) // DEVICE_CHUNK + 1):
            run, bit = divmod(number, _RUN)
            self._written.setdefault(run, bytearray(_RUN >> 3))[bit >> 3] |= 1 << (bit & 7)
        return len(data)

    def _is_written(self, number: int) -> bool:
        run, bit = divmod(number, _RUN)
        bits = self._written.get(run)
        return bits is not None and bool(bits[bit >> 3] & 1 << (bit & 7))

    def _run(self, at: int, end: int) -> tuple[bool, int]:
        """Whether the byte there was written over, and up to where that holds."""
        number = at // DEVICE_CHUNK
        is_here = self._is_written(number)
        while number * DEVICE_CHUNK < end and self._is_written(number) == is_here:
            number += 1
        return is_here, min(number * DEVICE_CHUNK, end)
