"""Chunks of a large file, read and checked by a second thread while the first one writes them: both release the interpreter."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

from agent.core.chunks import DATA, Chunk

#: Chunks read ahead: at most so many MiB.
DEPTH = 16


def read_ahead(entries: Iterable[Chunk], read: Callable[[Chunk], bytes]) -> Generator[tuple[Chunk, bytes], None, None]:
    """Each entry with its bytes, b"" for a hole, in order. What ``read`` raises is raised at its entry.

    The thread is gone when the generator ends or is closed."""
    waiting: deque[tuple[Chunk, Future[bytes] | None]] = deque()
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(1, "apply-ahead"))
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        for entry in entries:
            waiting.append((entry, pool.submit(read, entry) if entry.kind == DATA else None))
            if len(waiting) > DEPTH:
                yield _taken(waiting)
        while waiting:
            yield _taken(waiting)


def _taken(waiting: deque[tuple[Chunk, Future[bytes] | None]]) -> tuple[Chunk, bytes]:
    entry, future = waiting.popleft()
    return entry, b"" if future is None else future.result()
