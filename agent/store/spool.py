"""A bounded file on our own disk that holds chunks on their way to one peer, for as long as one commit takes to travel.

What a slow link would still be asking for when the source has long changed is written here while it is read; then it goes out at
the link's pace. The file has no name, so neither a crash nor a kill leaves anything behind. It is never synced: whatever it holds
can be captured again.
"""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from collections.abc import Iterable

from agent.core.errors import HikaeError, StoreFailed, TryAgain
from agent.fs.content import read_exact
from agent.store.vault.codec import compute_name

#: Room for what changes while a link is slow, and small beside any disk that a server has; of what is free at most a quarter, so
#: that neither the catalog nor three further peers are starved by it.
SPOOL_BYTES = 1 << 30
SHARE_OF_FREE = 4
#: Each costs about 200 bytes of memory (law 9).
SPOOL_CHUNKS = 100_000
_AT_ONCE = 256

#: ``(name, kind, bytes)``
SpoolChunk = tuple[bytes, int, bytes]


class Spool:
    """Chunks by name, written once, read in any order. Thread-safe: capture adds while the sender adds and reads.

    Made by :meth:`open`; after :meth:`close` adding does nothing and reading finds nothing."""

    @classmethod
    def open(cls, directory: str, limit: int = SPOOL_BYTES, most: int = SPOOL_CHUNKS) -> Spool:
        """An empty one in ``directory``, for at most ``limit`` bytes, less where the disk has little room, and ``most`` chunks.

        Raises ``TryAgain`` when the disk is full, ``StoreFailed``."""
        try:
            stat = os.statvfs(directory)
            fd = _unnamed(directory)
        except OSError as error:
            raise _failure(error, directory) from error
        return cls(fd, directory, min(limit, stat.f_bavail * stat.f_frsize // SHARE_OF_FREE), most)

    def __init__(self, fd: int, directory: str, limit: int, most: int) -> None:
        self.limit = limit
        self.most = most
        self.full = False
        self._fd: int | None = fd
        self._directory = directory
        self._lock = threading.Lock()
        self._places: dict[bytes, int] = {}
        self._end = 0

    def __contains__(self, name: bytes) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return len(self._places)

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return self._end

    def add(self, chunks: Iterable[SpoolChunk]) -> bool:
        """Keep what is not there yet. False when it did not all fit, or the disk has no room: it is ``full`` then, for good.

        Raises ``StoreFailed`` for any other failure of the disk."""
        with self._lock:
            if self.full or self._fd is None:
                return not self.full
            try:
                self.full = not self._add(self._fd, chunks)
            except OSError as error:
                self.full = True
                failed = _failure(error, self._directory)
                if not isinstance(failed, TryAgain):
                    raise failed from error
            return not self.full

    def get(self, name: bytes) -> bytes | None:
        """A chunk's bytes; None when it is not there, or when the disk gives back other bytes than were written.

        Raises ``StoreFailed``."""
        with self._lock:
            place, fd = self._places.get(name), self._fd
            if place is None or fd is None:
                return None
            try:
                data = read_exact(fd, place >> 24, place >> 2 & 0x3FFFFF)
            except OSError as error:
                raise _failure(error, self._directory) from error
        return data if data and compute_name(place & 3, data) == name else None

    def close(self) -> None:
        """Give the room back; safe to call twice."""
        with self._lock:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None
            self._places = {}

    def _add(self, fd: int, chunks: Iterable[SpoolChunk]) -> bool:
        """Append in runs of one call each; False when something did not fit."""
        run: list[bytes] = []
        names: list[tuple[bytes, int]] = []
        end = self._end
        fits = True
        for name, kind, data in chunks:
            if name in self._places or not data:
                continue
            if end + len(data) > self.limit or len(self._places) + len(names) >= self.most:
                fits = False
                break
            names.append((name, end << 24 | len(data) << 2 | kind))
            run.append(data)
            end += len(data)
            if len(run) >= _AT_ONCE:
                self._write(fd, run, names, end)
                run, names = [], []
        if run:
            self._write(fd, run, names, end)
        return fits

    def _write(self, fd: int, run: list[bytes], names: list[tuple[bytes, int]], end: int) -> None:
        at = self._end
        done = os.pwritev(fd, run, at)
        if done < end - at:
            rest = memoryview(b"".join(run))
            while done < len(rest):
                done += os.pwrite(fd, rest[done:], at + done)
        self._places.update(names)
        self._end = end


def _unnamed(directory: str) -> int:
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        return os.dup(file.fileno())


def _failure(error: OSError, directory: str) -> HikaeError:
    kind = TryAgain if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else StoreFailed
    remedy = "free space in the state directory" if kind is TryAgain else "look at the disk of the state directory"
    return kind("spool for a slow peer", directory, error.strerror or str(error), remedy)
