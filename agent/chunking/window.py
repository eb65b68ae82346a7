"""A stretch of a file in memory that moves forward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class FileReads(Protocol):
    """How content of open files is read: ``os``, or a test's that counts."""

    def pread(self, fd: int, length: int, offset: int, /) -> bytes:
        """At most ``length`` bytes from ``offset``; empty at the end."""
        ...

    def preadv(self, fd: int, buffers: Sequence[memoryview], offset: int, /) -> int:
        """Fill the buffers from ``offset``, in order; how many bytes were read, 0 at the end."""
        ...


class FileWindow:
    """Of one open file; ``capacity``: bytes that it holds at most."""

    def __init__(self, fd: int, capacity: int, reads: FileReads) -> None:
        self._fd = fd
        self._reads = reads
        self._buffer = memoryview(bytearray(capacity))
        self._start = self._end = 0

    def view(self, at: int, need: int, end: int) -> memoryview:
        """Bytes from ``at``: at least ``need`` of them, fewer only where the file ends; never beyond ``end``."""
        if at < self._start or at + need > self._end:
            self._move(at, need, end)
        return self._buffer[at - self._start : min(self._end, end) - self._start]

    def _move(self, at: int, need: int, end: int) -> None:
        kept = self._end - at if self._start <= at < self._end else 0
        if kept:
            self._buffer[:kept] = bytes(self._buffer[at - self._start : self._end - self._start])
        room = min(len(self._buffer), end - at)
        self._start, self._end = at, at + kept
        while self._end - at < need:
            got = self._reads.preadv(self._fd, [self._buffer[self._end - at : room]], self._end)
            if not got:
                break
            self._end += got
