"""Is a device what its commit says? Read in slices, between which the applier goes on: what it changes meanwhile is read again.

What is compared is a sealed commit and the copy that stands for it, never the blocks of a source that move: so no difference is a
false alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from agent.apply.commit_numbers import counts_at
from agent.apply.device.opened import OpenDevice, device_errors
from agent.apply.device.ports import DeviceLimits, DeviceView
from agent.apply.device.run import end_of, first_that_holds
from agent.apply.results import ApplyProgress, Difference, Report, RootFailed, VerifyReport
from agent.apply.writing.file_content import Look
from agent.core.chunks import DEVICE_CHUNK, name_of
from agent.core.errors import NotFound
from agent.core.ids import NOTHING, ChunkNumber, CommitNumber, ObjectId
from agent.core.rows import chunk_number_of_key, decode_chunk

_ZEROS = bytes(DEVICE_CHUNK)


@dataclass(frozen=True, slots=True)
class DeviceMoment:
    """A device and the commit that it equals, or should, as long as this value is used. ``short``: chunks that are owed."""

    device: OpenDevice
    view: DeviceView
    number: CommitNumber
    short: frozenset[ObjectId]


@dataclass(frozen=True, slots=True)
class AskedOfDevice:
    """What a verify is asked for. ``deep``: from the disk, past what is in memory; ``repair``: writes these chunks anew."""

    deep: bool
    progress: Report
    repair: Callable[[Iterable[int]], None] | None = None


class DeviceVerification:
    """One verify: :meth:`turn` by the applying thread, between two converges. ``moment`` says what is to be compared, and raises
    where nothing can be; ``look`` raises what is to end it; ``clock``: seconds that never fall."""

    def __init__(
        self,
        asked: AskedOfDevice,
        moment: Callable[[], DeviceMoment],
        look: Look,
        clock: Callable[[], float],
        limits: DeviceLimits,
    ) -> None:
        self._asked = asked
        self._moment = moment
        self._look = look
        self._clock = clock
        self._limits = limits
        self._slice = limits.verify.slice
        self._anew = 0
        self._mended = 0
        self._repairs = asked.repair is not None
        self.progress = ApplyProgress()
        self._begin(NOTHING)

    def _begin(self, at: CommitNumber) -> None:
        self._at = at
        #: Up to where it was read, and what changed since in what was.
        self._upto = 0
        self._again: set[int] = set()
        self._differ: set[int] = set()
        self._owed: set[int] = set()
        self._entries = self._bytes = 0

    def rest_after(self, took: float) -> float:
        """How long nothing is to be done after a slice of so many seconds, where others come first."""
        return self._limits.verify.share * took

    def turn(self, *, whole: bool = False) -> VerifyReport | None:
        """A slice, or with ``whole`` all that is left; the report once it is through. Raises as ``moment``, and ``RootFailed``
        where more changes than can be looked at."""
        now = self._moment()
        if now.number == NOTHING:
            return VerifyReport(equal=True, checked_entries=0, checked_bytes=0)
        self._go_on_at(now)
        size = end_of(now.view, now.number)
        with device_errors(now.device.path):
            is_through = self._slice_of(now, size, whole=whole)
        self.progress = ApplyProgress(self._entries, self._entries, self._bytes, max(size, self._bytes))
        self._asked.progress(self.progress)
        return self._ended(now, size) if is_through else None

    def _go_on_at(self, now: DeviceMoment) -> None:
        """What was found of chunks that changed since is forgotten, and they are read again."""
        if self._at in (NOTHING, now.number):
            self._at = now.number
            return
        try:
            for keys in now.view.touched(self._at, now.number):
                numbers = {number for number in map(chunk_number_of_key, keys) if number <= self._upto}
                self._again |= numbers
                self._differ -= numbers
                self._owed -= numbers
        except NotFound:
            self._from_the_start(now)
        if len(self._again) > self._limits.verify.changed:
            self._from_the_start(now)
        self._at = now.number

    def _from_the_start(self, now: DeviceMoment) -> None:
        self._anew += 1
        if self._anew > self._limits.verify.anew:
            reason = "more changes than can be looked at: it was begun anew again and again"
            raise RootFailed("verify", "", reason, "try it again when less is written, or pause the apply meanwhile")
        self._begin(now.number)

    def _slice_of(self, now: DeviceMoment, size: int, *, whole: bool) -> bool:
        """Whether all was compared."""
        ends, last, left = self._clock() + self._slice, -(-size // DEVICE_CHUNK), len(self._again)
        while self._upto < last or self._again:
            self._look()
            if self._upto < last:
                first = first_that_holds(now.device, now.view, self._upto + 1, last)
                self._upto = min(last, first + self._limits.run - 1)
                self._compare(now, size, first, self._upto)
            else:
                number = self._again.pop()
                self._compare(now, size, number, number)
            if not whole and self._clock() >= ends:
                break
        grows = self._upto >= last and len(self._again) >= left > 0
        self._slice = self._slice * self._limits.verify.growth if grows else self._limits.verify.slice
        return self._upto >= last and not self._again

    def _compare(self, now: DeviceMoment, size: int, first: int, last: int) -> None:
        start = (first - 1) * DEVICE_CHUNK
        length = min(last * DEVICE_CHUNK, size) - start
        if length <= 0:
            return  # It was cut off.
        raws = now.view.chunks_within(ChunkNumber(first), ChunkNumber(last), now.number)
        rows = {row.number: row for row in map(decode_chunk, raws)}
        if not rows and now.device.next_data(start) >= start + length:
            return
        read = now.device.read_from_disk if self._asked.deep else now.device.read
        stands = read(start, length)
        self._bytes += len(stands)
        for number in range(first, last + 1):
            row, at = rows.get(ChunkNumber(number)), (number - first) * DEVICE_CHUNK
            held = stands[at : at + (row.length if row is not None else min(DEVICE_CHUNK, length - at))]
            self._entries += row is not None
            if row is not None and row.id in now.short:
                self._owed.add(number)
            elif (held != memoryview(_ZEROS)[: len(held)]) if row is None else name_of(held) != row.name:
                self._differ.add(number)

    def _ended(self, now: DeviceMoment, size: int) -> VerifyReport | None:
        """All was read; where it is asked for, what differs is written anew and all is read again."""
        if self._repairs and self._asked.repair is not None and (self._differ or self._is_long(now, size)):
            self._repairs = False
            self._mended = len(extents(self._differ)) + self._is_long(now, size)
            self._asked.repair(sorted(self._differ))
            self._begin(now.number)
            return None
        report = self._report(now, size)
        return replace(report, repaired=max(0, self._mended - len(report.differences) - report.more))

    def _is_long(self, now: DeviceMoment, size: int) -> bool:
        return not now.device.is_block and now.device.length != size

    def _report(self, now: DeviceMoment, size: int) -> VerifyReport:
        found = [
            Difference(f"bytes {start}-{min(end, size) - 1}".encode(), "content")
            for start, end in extents(self._differ)
        ]
        if self._is_long(now, size):
            found.insert(0, Difference(b"", f"size: {now.device.length} bytes instead of {size}"))
        most = self._limits.differences
        owed = tuple(f"bytes {start}-{min(end, size) - 1}".encode() for start, end in extents(self._owed))
        return VerifyReport(
            not found,
            counts_at(now.view, now.number).entries,
            self._bytes,
            tuple(found[:most]),
            max(0, len(found) - most),
            number=now.number,
            owed=len(self._owed),
            owed_paths=owed[:most],
        )


def extents(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Chunks as ``(start, end)`` in bytes, neighbours together."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        start, end = (number - 1) * DEVICE_CHUNK, number * DEVICE_CHUNK
        if found and found[-1][1] == start:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found
