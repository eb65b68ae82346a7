"""All content that comes into a root goes through here: new files, changed ones, and what is written ahead of its commit.

What waits in the system to be written out is bounded: without that the next sync of anybody on the filesystem (a checkpoint, a
database beside us) would take as long as everything that was written before it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from agent.fs.content import punch, pwrite_all

#: Bytes of one file that may wait to be written out.
BULK = 64 << 20


class ContentWriter:
    """Writes into an open file, which stays the caller's. ``unsynced``: bytes that may wait to be written out; then ``sync`` is
    called with the descriptor.

    A sync that fails raises OSError of the whole root: nothing of what was written since the last checkpoint is believed (law 1),
    and the file is made again. A small file of one chunk needs no writer: :func:`write_small`."""

    __slots__ = ("_limit", "_sync", "_unsynced", "fd")

    def __init__(self, fd: int, unsynced: int = BULK, sync: Callable[[int], None] = os.fdatasync) -> None:
        self.fd = fd
        self._limit = unsynced
        self._sync = sync
        self._unsynced = 0

    def put(self, offset: int, data: bytes | memoryview) -> int:
        """Write all of ``data`` at ``offset``; bytes written. OSError leaves some of it written."""
        pwrite_all(self.fd, data, offset)
        return self._wrote(len(data))

    def put_run(self, offset: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Write pieces that follow each other, in one call; bytes written. OSError, also when the disk takes less."""
        size = sum(map(len, pieces))
        if os.pwritev(self.fd, pieces, offset) != size:
            raise OSError("the disk took less than all")
        return self._wrote(size)

    def hole(self, offset: int, length: int) -> int:
        """Make a range of the file read as zeros, without room where the filesystem can: no bytes written."""
        punch(self.fd, offset, length)
        return 0

    def end_at(self, size: int) -> None:
        """Make the file ``size`` bytes long."""
        if os.fstat(self.fd).st_size != size:
            os.ftruncate(self.fd, size)

    def _wrote(self, count: int) -> int:
        self._unsynced += count
        if self._unsynced >= self._limit:
            self._sync(self.fd)
            self._unsynced = 0
        return count


def write_small(fd: int, data: bytes) -> None:
    """The whole content of an empty file, in one call where that will do."""
    if os.write(fd, data) != len(data):
        pwrite_all(fd, data, 0)
