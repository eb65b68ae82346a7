"""A moment of a device is brought back: stretch by stretch in several threads, then what was written is read back from the
disk."""

from __future__ import annotations

import heapq
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from agent.core.rows import ChunkRow
from agent.generations.devices.image import DeviceImage
from agent.generations.devices.stretch import STRETCH, DeviceStretch, StretchMaker, StretchWork
from agent.generations.devices.target import ImageTarget
from agent.generations.devices.words import bytes_words
from agent.generations.restore.plain_files import ReadMany
from agent.generations.restore.results import Done, Unmade
from agent.generations.restore.target import refusal_of_error


@dataclass(frozen=True, slots=True)
class ImageRestoreLimits:
    """``threads`` make stretches at once; reading, naming and writing run beside each other."""

    threads: int = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class ImageRestoration:
    """``image``: of a moment that stays readable meanwhile; ``read_many`` of where its chunks are; ``look``: called with the
    phase and the bytes of it that are done, by the thread that restores; it raises what is to end the restore."""

    image: DeviceImage
    read_many: ReadMany
    look: Callable[[str, int], None]
    limits: ImageRestoreLimits = ImageRestoreLimits()


def restore_image(target: ImageTarget, wanted: ImageRestoration) -> Done:
    """Make the target as the device was, durable, and proved by reading it. What could not be had is in the result, by its bytes,
    and the rest goes on. Raises ``TryAgain`` (disk full), ``StoreFailed``, ``Unreachable``: then it goes on where it was when it
    is asked for again."""
    run = _Run(target, wanted)
    try:
        target.begin(wanted.image.size)
        changed = run.make()
        target.settle()
        run.read_back(changed)
        target.finish()
    except OSError as error:
        raise refusal_of_error(error, target.path) from error
    return run.done


class _Run:
    def __init__(self, target: ImageTarget, wanted: ImageRestoration) -> None:
        self._image = wanted.image
        self._look = wanted.look
        self._threads = wanted.limits.threads
        self._maker = StretchMaker(target, wanted.image.read_chunk, wanted.read_many)
        #: Numbers of chunks that could not be had: what is there in their place is not read back.
        self._lacking = set[int]()
        self.done = Done()

    def make(self) -> list[int]:
        """Make every stretch; where those begin that are to be read back."""
        changed: list[int] = []
        for work in self._in_turn(self._starts(), self._maker.make):
            done = self.done
            done.entries += len(work.stretch.rows) - len(work.lost)
            done.size += work.written + work.same
            done.written += work.written
            self._lacking.update(row.number for row, _ in work.lost)
            for row, reason in work.lost:
                self._lost(row, reason)
            if work.written or work.zeroed:
                changed.append(work.stretch.start)
            else:
                done.verified += work.same
            self._look("restore", work.stretch.end)
        return changed

    def _starts(self) -> Iterator[int]:
        """Where stretches begin, in order: of those in which the moment or the target holds anything."""
        wanted = (row.offset // STRETCH for row in self._image.rows_within(0, self._image.size))
        last = -1
        for number in heapq.merge(wanted, self._maker.target.held(self._image.size, STRETCH)):
            if number != last:
                last = number
                yield number * STRETCH

    def read_back(self, changed: list[int]) -> None:
        """Read what was changed, and count what is as it should be."""
        passed = 0
        for work in self._in_turn(changed, self._maker.read_back):
            self.done.verified += work.same
            for row, reason in work.lost:
                if row.number not in self._lacking:
                    self._lost(row, reason)
            passed += work.stretch.end - work.stretch.start
            self._look("read back", passed)

    def _lost(self, row: ChunkRow, reason: str) -> None:
        where = bytes_words(row.offset, row.end)
        if self._image.catalog.owes(row.id, self._image.number):
            self.done.is_owed(where)
        else:
            self.done.not_made(Unmade(where, reason, row.name.hex()))

    def _in_turn(self, starts: Iterable[int], act: Callable[[DeviceStretch], StretchWork]) -> Iterator[StretchWork]:
        """What each stretch comes to, in order; a few wait. The catalog is asked by this thread alone."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="restore-image") as pool:
            waiting = deque[Future[StretchWork]]()
            try:
                for start in starts:
                    waiting.append(pool.submit(act, self._stretch(start)))
                    if len(waiting) > 2 * self._threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _stretch(self, start: int) -> DeviceStretch:
        end = min(start + STRETCH, self._image.size)
        return DeviceStretch(start, end, tuple(self._image.rows_within(start, end - start)))
