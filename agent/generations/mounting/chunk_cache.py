"""Chunks that are read again in a moment, or will be read next: fetched ahead by threads of their own, bounded.

What came first goes first, read or not: who reads on has read it by then, and the kernel keeps what was read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from agent.core.errors import HikaeError


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """``kept``: bytes of chunks; ``workers``: threads that fetch ahead; ``jobs``: of theirs that wait or run, beyond which
    nothing is fetched ahead; ``batch``: bytes that one fetches: handing over each chunk alone costs more than reading it."""

    kept: int = 64 << 20
    workers: int = 2
    jobs: int = 16
    batch: int = 512 << 10


def nothing(_names: Sequence[bytes]) -> None:
    """Chunks that are here need not be sent for."""


class ChunkCache:
    """Any thread. ``read``: a chunk's bytes by its name, checked; thread-safe. ``send_for``: told of several before they are read
    one by one."""

    def __init__(
        self,
        read: Callable[[bytes], bytes],
        limits: CacheLimits | None = None,
        send_for: Callable[[Sequence[bytes]], None] = nothing,
    ) -> None:
        self._read = read
        self._send_for = send_for
        self._limits = limits or CacheLimits()
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0
        self._coming: dict[bytes, Future[None]] = {}
        self._jobs = 0
        self._readers = 0
        self._workers = ThreadPoolExecutor(self._limits.workers, thread_name_prefix="fetch-ahead")

    def close(self) -> None:
        """End the threads; safe to call twice."""
        self._workers.shutdown(cancel_futures=True)

    def begin(self) -> None:
        """Somebody reads; ended by :meth:`end`."""
        with self._lock:
            self._readers += 1

    def end(self) -> None:
        """He reads no more."""
        with self._lock:
            self._readers -= 1

    @property
    def share(self) -> int:
        """Bytes that each reader may have fetched ahead: a quarter of what is kept, so that one who stands still for a while
        finds his, though the others went on."""
        return self._limits.kept // (4 * max(1, self._readers))

    @property
    def size(self) -> int:
        """Bytes that are kept now."""
        return self._size

    def get(self, name: bytes) -> bytes:
        """A chunk. Raises ``NotFound``, ``Damaged``, ``StoreFailed``."""
        with self._lock:
            data = self._kept.get(name)
            if data is not None:
                return data
            coming = self._coming.get(name)
        # One that has not begun waits behind others: whoever needs the chunk now reads it himself.
        if coming is not None and not coming.cancelled() and (coming.running() or coming.done()):
            wait([coming])
            with self._lock:
                data = self._kept.get(name)
            if data is not None:
                return data
        return self._fetched(name)

    def fetch_ahead(self, names: Sequence[bytes], average: int) -> int:
        """Somebody will ask for these in a moment, in this order; how many of them are, or will be, here. ``average``: bytes of
        one."""
        step = max(1, self._limits.batch // max(1, average))
        for first in range(0, len(names), step):
            if not self._begin(names[first : first + step]):
                return first
        return len(names)

    def _begin(self, names: Sequence[bytes]) -> bool:
        with self._lock:
            wanted = [name for name in names if name not in self._kept and name not in self._coming]
            if not wanted:
                return True
            if self._jobs >= self._limits.jobs:
                return False
            self._jobs += 1
            job = self._workers.submit(self._fetch, wanted)
            self._coming.update(dict.fromkeys(wanted, job))
            return True

    def _fetch(self, names: Sequence[bytes]) -> None:
        try:
            self._send_for(names)
            for name in names:
                if name not in self._kept:
                    self._fetched(name)
        except HikaeError:
            pass  # whoever asks for it is told
        finally:
            with self._lock:
                self._jobs -= 1
                for name in names:
                    self._coming.pop(name, None)

    def _fetched(self, name: bytes) -> bytes:
        data = self._read(name)
        with self._lock:
            if name not in self._kept:
                self._kept[name] = data
                self._size += len(data)
                while self._size > self._limits.kept:
                    self._size -= len(self._kept.popitem(last=False)[1])
        return data
