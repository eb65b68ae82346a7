"""One stretch of a device: made equal to a moment's rows where it differs, and read back. Any thread."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.core.chunks import name_of
from agent.core.errors import Damaged, NotFound
from agent.core.rows import ChunkRow
from agent.fs.content import pwrite_all, read_exact
from agent.generations.devices.target import ImageTarget
from agent.generations.reading import ReadChunk
from agent.generations.restore.plain_files import ReadMany

#: Bytes of a stretch; and chunks of it that are asked for at once.
STRETCH = 4 << 20
_AT_ONCE = 32
_ZEROS = bytes(STRETCH)


class DeviceStretch(NamedTuple):
    """From ``start`` to before ``end``, in bytes of the device, with the chunks that lie in it."""

    start: int
    end: int
    rows: tuple[ChunkRow, ...]

    def gaps(self) -> Iterator[tuple[int, int]]:
        """``(start, end)`` of what reads as zeros."""
        at = self.start
        for row in self.rows:
            if row.offset > at:
                yield at, row.offset
            at = row.end
        if at < self.end:
            yield at, self.end


@dataclass(slots=True)
class StretchWork:
    """What one stretch came to. ``written``, ``same``: bytes of chunks that were written, and that stood there already;
    ``zeroed``: whether ranges had to become zeros; ``lost``: chunks that could not be had, and why."""

    stretch: DeviceStretch
    written: int = 0
    same: int = 0
    zeroed: bool = False
    lost: list[tuple[ChunkRow, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StretchMaker:
    """``read`` and ``read_many``: of the vault, or of another node; thread-safe."""

    target: ImageTarget
    read: ReadChunk
    read_many: ReadMany

    def make(self, stretch: DeviceStretch) -> StretchWork:
        """Make it equal, writing only what differs. OSError of the target; raises ``StoreFailed``, ``Unreachable``."""
        work = StretchWork(stretch)
        lacking = list(stretch.rows)
        if not self.target.fresh:
            stands = memoryview(read_exact(self.target.fd, stretch.start, stretch.end - stretch.start))
            lacking = [row for row in stretch.rows if name_of(_part(stands, stretch, row.offset, row.end)) != row.name]
            work.same = sum(row.length for row in stretch.rows) - sum(row.length for row in lacking)
            for start, end in stretch.gaps():
                if _part(stands, stretch, start, end) != memoryview(_ZEROS)[: end - start]:
                    self.target.zero(start, end - start)
                    work.zeroed = True
        for at in range(0, len(lacking), _AT_ONCE):
            self._write(lacking[at : at + _AT_ONCE], work)
        return work

    def _write(self, rows: Sequence[ChunkRow], work: StretchWork) -> None:
        found = self.read_many([row.name for row in rows])
        for row in rows:
            try:
                data = found.get(row.name) or self.read(row.name)
            except (NotFound, Damaged) as error:
                work.lost.append((row, error.reason))
                continue
            if len(data) != row.length:
                work.lost.append((row, f"the chunk has {len(data)} bytes where its row says {row.length}"))
                continue
            if not (self.target.fresh and data == memoryview(_ZEROS)[: row.length]):
                pwrite_all(self.target.fd, data, row.offset)
            work.written += row.length

    def read_back(self, stretch: DeviceStretch) -> StretchWork:
        """What is there now, read from the disk: ``same`` has the bytes of what is as it should be, ``lost`` what is not; zeros
        that are none are told as OSError."""
        back = StretchWork(stretch)
        stands = memoryview(read_exact(self.target.fd, stretch.start, stretch.end - stretch.start))
        for row in stretch.rows:
            if name_of(_part(stands, stretch, row.offset, row.end)) == row.name:
                back.same += row.length
            else:
                back.lost.append((row, "what was written reads back otherwise: see the kernel log (dmesg)"))
        if any(_part(stands, stretch, *gap) != memoryview(_ZEROS)[: gap[1] - gap[0]] for gap in stretch.gaps()):
            raise OSError(errno.EIO, "zeros that were written read back otherwise")
        return back


def _part(stands: memoryview, stretch: DeviceStretch, start: int, end: int) -> memoryview:
    return stands[start - stretch.start : end - stretch.start]
