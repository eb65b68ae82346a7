"""One run: a device that stands somehow is made equal to a commit, by the difference, by what is in doubt, or whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from agent.apply.device.laying import Laying
from agent.apply.device.opened import OpenDevice
from agent.apply.device.ports import DeviceLimits, DeviceView
from agent.apply.ports import ReadChunk, ReadPatch
from agent.apply.results import ApplyProgress, ChunkLost, Report
from agent.apply.run.wanted import Plan
from agent.apply.writing.file_content import Look, laid_over
from agent.core.chunks import DATA, DEVICE_CHUNK, Chunk, name_of
from agent.core.ids import NOTHING, ChunkNumber, CommitNumber, ObjectId
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import CHUNK_DAMAGED
from agent.core.rows import ChunkRow, chunk_number_of_key, decode_chunk

_ZEROS = bytes(DEVICE_CHUNK)


@dataclass(frozen=True, slots=True)
class DeviceMeans:
    """What every run works with. ``read`` raises ``ChunkLost``; ``look`` is called at every step of what may take long, and
    raises what is to end it; ``lost`` is told of a chunk that could not be had."""

    read: ReadChunk
    patch_of: ReadPatch
    look: Look
    lost: Callable[[ChunkRow, ChunkLost], None]
    limits: DeviceLimits


def lost_of_device(row: ChunkRow, error: ChunkLost, now_ns: int, remedy: str) -> Problem:
    """A chunk of the device could not be had; ``remedy``: what is done, or to be typed."""
    message = f"{error.sentence} (bytes {row.offset}-{row.end - 1} of the device)"
    return Problem(CHUNK_DAMAGED, Severity.ERROR, now_ns, b"", message, remedy)


def end_of(view: DeviceView, at: CommitNumber) -> int:
    """Bytes of the device at a commit; 0 for ``NOTHING``."""
    last = view.last_chunk(at) if at != NOTHING else None
    return decode_chunk(last).end if last is not None else 0


def stands_as(device: OpenDevice, view: DeviceView, at: CommitNumber, numbers: Iterable[int]) -> bool:
    """Whether these chunks of the device are what a commit says. OSError."""
    for number in numbers:
        rows = view.chunks_within(ChunkNumber(number), ChunkNumber(number), at)
        offset, length = extent_of(number)
        held = device.read(offset, decode_chunk(rows[0]).length if rows else length)
        if name_of(held) != decode_chunk(rows[0]).name if rows else held != memoryview(_ZEROS)[: len(held)]:
            return False
    return True


def first_that_holds(device: OpenDevice, view: DeviceView, first: int, last: int) -> int:
    """The least chunk from ``first`` to ``last`` that has a row of any moment, or data on the device; ``last`` + 1 for none.

    A peer says how long a device is, and an image of exbibytes takes no room: what is neither here nor there is not walked over.
    OSError."""
    offset = (first - 1) * DEVICE_CHUNK
    data = device.next_data(offset)
    held = data // DEVICE_CHUNK + 1 if data < device.length else last + 1
    if held <= first:
        return first
    row = view.next_chunk(ChunkNumber(first))
    return min(held, row if row is not None else held, last + 1)


def extent_of(number: int) -> tuple[int, int]:
    """Offset and length of a whole chunk."""
    return (number - 1) * DEVICE_CHUNK, DEVICE_CHUNK


class DeviceRun:
    """For one thread and one target. ``left``: chunks that are owed, and stand as they did; ``failed``: those that were lost;
    ``changed``: those that were written or became zeros.
    OSError of the device, errors of our stores."""

    def __init__(self, device: OpenDevice, view: DeviceView, plan: Plan, means: DeviceMeans, progress: Report) -> None:
        self._device = device
        self._view = view
        self._plan = plan
        self._means = means
        self._progress = progress
        self._laying = Laying(device, means.limits.run * DEVICE_CHUNK)
        self._at = plan.target.number
        self._owes_any = view.owed_count(self._at) > 0
        self.left: set[ObjectId] = set()
        self.failed = self.chunks = self.changed = 0

    @property
    def written(self) -> int:
        """Bytes of data that were written."""
        return self._laying.written

    def run(self) -> None:
        """On exit the device equals the target but for what is ``left`` or ``failed``, in memory at least."""
        plan, end = self._plan, end_of(self._view, self._at)
        if self._device.is_block and plan.trusted:
            # What lay behind the end of the source may hold anything.
            was = end_of(self._view, plan.base)
            self._device.zero(was, max(0, end - was))
        self._device.end_at(end)
        if plan.survey:
            self._make(self._that_hold(-(-end // DEVICE_CHUNK)))
        elif plan.trusted:
            self._change()
            self._make(sorted(int(id) for id in plan.short))
        else:
            self._redo()
        self._laying.flush()

    def make(self, numbers: Iterable[int]) -> None:
        """Only these chunks, in rising order, whatever they hold."""
        self._make(numbers)
        self._laying.flush()

    def _that_hold(self, last: int) -> Iterator[int]:
        """Every chunk that may have to be written, up to ``last``, in rising order."""
        upto = 0
        while (first := first_that_holds(self._device, self._view, upto + 1, last)) <= last:
            upto = min(last, first + self._means.limits.run - 1)
            yield from range(first, upto + 1)

    # -- by the difference -----------------------------------------------------------------------------------------------

    def _change(self) -> None:
        for batch in self._view.difference(self._plan.base, self._at):
            self._means.look()
            for key, old, new in batch:
                if new is None:
                    self.changed += 1
                    self._laying.zero(*extent_of(chunk_number_of_key(key)))
                else:
                    self._lay(decode_chunk(new), decode_chunk(old) if old is not None else None)
            self._told(len(batch))

    def _lay(self, row: ChunkRow, was: ChunkRow | None) -> None:
        if self._leaves(row.id):
            return
        known = was is not None and was.id not in self._plan.short
        overlay = laid_over(_entry(row), _entry(was), self._means.patch_of) if known and was is not None else []
        for at, data in overlay:
            self._laying.put(row.offset + at, data)
        self.changed += bool(overlay)
        if not overlay:
            self._put(row)

    def _put(self, row: ChunkRow) -> None:
        try:
            data = self._means.read(row.name)
            if len(data) != row.length:
                raise ChunkLost(
                    "apply", row.name.hex(), f"a chunk of {len(data)} bytes where the row says {row.length}"
                )
        except ChunkLost as error:
            self.failed += 1
            self._means.lost(row, error)
            return
        self.changed += 1
        self._laying.put(row.offset, data)

    def _leaves(self, id: ObjectId) -> bool:
        """Whether the chunk is not here, so that its last version is left to stand (law 9). Noted if so."""
        if not self._owes_any or not self._view.owes(id, self._at):
            return False
        self.left.add(id)
        return True

    # -- by what is in doubt ---------------------------------------------------------------------------------------------

    def _redo(self) -> None:
        """Whatever stands where commits changed anything since the checkpoint is compared."""
        newest = self._view.newest()
        numbers = [self._plan.base, *self._plan.span, self._at, *([newest.number] if newest is not None else [])]
        for keys in self._view.touched(min(numbers), max(numbers)):
            self._make(sorted(chunk_number_of_key(key) for key in keys))
        if self._device.is_block:
            # What lay behind the end of the source may hold anything.
            was, end = end_of(self._view, self._plan.base), end_of(self._view, self._at)
            self._make(range(was // DEVICE_CHUNK + 1, -(-end // DEVICE_CHUNK) + 1))
        self._make(sorted(int(id) for id in self._plan.doubted or ()))

    def _make(self, numbers: Iterable[int]) -> None:
        for first, last in _stretches(numbers, self._means.limits.run):
            self._means.look()
            self._make_stretch(first, last)
            self._told(last - first + 1)

    def _make_stretch(self, first: int, last: int) -> None:
        raws = self._view.chunks_within(ChunkNumber(first), ChunkNumber(last), self._at)
        rows = {row.number: row for row in map(decode_chunk, raws)}
        start, length = (first - 1) * DEVICE_CHUNK, (last - first + 1) * DEVICE_CHUNK
        if not rows and self._device.next_data(start) >= start + length:
            return
        stands = self._device.read(start, length)
        for number in range(first, last + 1):
            row, at = rows.get(ChunkNumber(number)), (number - first) * DEVICE_CHUNK
            if row is None:
                held = stands[at : at + DEVICE_CHUNK]
                if held != memoryview(_ZEROS)[: len(held)]:
                    self.changed += 1
                    self._laying.zero(start + at, len(held))
            elif name_of(stands[at : at + row.length]) != row.name and not self._leaves(row.id):
                self._put(row)

    def _told(self, chunks: int) -> None:
        self.chunks += chunks
        plan = self._plan
        total = plan.target.entries if plan.survey or plan.base == NOTHING else self.chunks
        size = plan.target.bytes if plan.survey or plan.base == NOTHING else self.written
        self._progress(ApplyProgress(self.chunks, max(total, self.chunks), self.written, max(size, self.written)))


def _entry(row: ChunkRow) -> Chunk:
    return Chunk(DATA, row.length, row.name)


def _stretches(numbers: Iterable[int], most: int) -> Iterator[tuple[int, int]]:
    """Rising numbers as ``(first, last)`` of those that follow each other, at most so many."""
    first = last = 0
    for number in numbers:
        if first and number == last + 1 and number - first < most:
            last = number
            continue
        if first:
            yield first, last
        first = last = number
    if first:
        yield first, last
