"""Reads of a device, the next one under way while the last is looked at: neither disk nor processor waits for the other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

from agent.capture.device.moment import AT_ONCE, Piece, Unread, read_run
from agent.capture.device.opened import READ, ReadsDevice, aligned_memory
from agent.capture.device.runs import Run, bytes_of, in_reads

_Buffers: TypeAlias = tuple[memoryview, memoryview]


@dataclass(frozen=True, slots=True)
class DoneRead:
    """One read: what stands there, which is gone with the next but one; what could not be read; its bytes."""

    pieces: list[Piece]
    unread: Unread
    size: int
    run: Run
    at: int


class DeviceReads:
    """A thread of one device, and two buffers for each pass over it. Belongs to the pump's thread; ``close`` ends the thread."""

    def __init__(self, device: ReadsDevice, name: str) -> None:
        self._device = device
        #: Of passes that have ended. A round of a commit may come in the midst of a look at everything, which has read ahead.
        self._spare: list[_Buffers] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    def over(self, runs: Iterable[Run], at: Callable[[], int] = int) -> Generator[DoneRead, None, None]:
        """Read these chunks, in order. ``at``: what a read bears that begins now."""
        turn = 0
        buffers = self._spare.pop() if self._spare else (aligned_memory(READ), aligned_memory(READ))
        under_way: Future[DoneRead] | None = None
        try:
            for run in in_reads(runs, AT_ONCE):
                following = self._thread.submit(self._read, run, buffers[turn % 2], at())
                turn += 1
                if under_way is not None:
                    done, under_way = under_way, following
                    yield done.result()
                else:
                    under_way = following
            if under_way is not None:
                done, under_way = under_way, None
                yield done.result()
        finally:
            if under_way is not None:
                under_way.exception()
            self._spare.append(buffers)

    def close(self) -> None:
        """The read under way ends, and the thread."""
        self._thread.shutdown()

    def anew(self, done: DoneRead) -> DoneRead:
        """The same as it stands now."""
        return self._read(done.run, aligned_memory(done.size), done.at)

    def _read(self, run: Run, buffer: memoryview, at: int) -> DoneRead:
        unread: Unread = []
        size = bytes_of((run,))
        return DoneRead(read_run(self._device, run, buffer[:size], unread), unread, size, run, at)
