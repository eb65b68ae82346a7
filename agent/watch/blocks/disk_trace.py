"""An open trace of one disk: its instance, how its rings are read, and what they have told so far."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from agent.watch.blocks.accounts import Account, ToldSectors
from agent.watch.blocks.dirty_map import DirtyMap, MapLimits
from agent.watch.blocks.disk import DiskCounters, TrackedDisk, counters_of, disk_at, is_counted
from agent.watch.blocks.formats import UnknownFormat
from agent.watch.blocks.ports import DirtyExtent
from agent.watch.blocks.ring import NOTHING, READ, RingReader
from agent.watch.blocks.tracefs import BlockFormats, RingLimits, TraceInstance, formats_at, tracefs_place
from agent.watch.blocks.under_way import WritesUnderWay

_PROBED = 4096
#: A moment without a write under way is waited for by looking so often.
_LOOKS = 20

_REASONS = {
    errno.EPERM: "tracefs is not for this process (root is needed, outside a container, without kernel lockdown)",
    errno.EACCES: "tracefs is not for this process (root is needed, outside a container, without kernel lockdown)",
    errno.ENODEV: "this kernel has no tracefs",
    errno.ENOTBLK: "it is no block device",
    errno.EBUSY: "another process reads the agent's own trace instance",
    errno.ENOMEM: "the kernel has no memory for the rings",
}


class NotTracked(Exception):
    """A disk's writes cannot be followed; the text is a clause for people."""


class NotingRings(Protocol):
    """A trace instance that notes, as ``TraceInstance`` has it; tests fill one with pages."""

    def pages(self) -> Iterator[bytes]:
        """What was noted, a page at a time."""

    def lost(self) -> int:
        """How many events were lost since it was made."""

    def is_noting(self, device: int) -> bool:
        """Whether it still notes writes on this disk."""

    def leave(self, kept: float) -> None:
        """Let it go on noting with nobody there, for so many seconds at least."""

    def remove(self) -> None:
        """End it."""


class DiskTrace:
    """Made by :meth:`begun` or :meth:`resumed`. For one thread at a time. Every method raises ``NotTracked``."""

    def __init__(self, disk: TrackedDisk, instance: NotingRings, formats: BlockFormats) -> None:
        self.disk = disk
        self._under_way = WritesUnderWay(MapLimits())
        self.told = ToldSectors()
        self._instance = instance
        self._reader = RingReader(formats.page, formats.queue, formats.completions, disk.number, READ)
        self._gaps = 0
        #: Sectors of the largest write that was told of.
        self._largest = 0
        self._lost = 0

    @classmethod
    def begun(cls, path: str, name: str, limits: RingLimits) -> DiskTrace:
        """Trace the disk of a device from now on, in an instance of this name; a read shows that events come."""
        with not_tracked():
            disk, tracefs = disk_at(path), tracefs_place()
            formats = formats_at(tracefs)
            instance = TraceInstance.made(tracefs / "instances" / name, limits)
            try:
                instance.note(disk.number, reads=True)
                _probe(path, disk, instance, formats)
                instance.note(disk.number)
                return cls(disk, instance, formats)
            except BaseException:
                instance.remove()
                raise

    @classmethod
    def resumed(cls, path: str, name: str) -> DiskTrace:
        """Go on with an instance that was left noting."""
        with not_tracked():
            disk, tracefs = disk_at(path), tracefs_place()
            instance = TraceInstance.found(tracefs / "instances" / name)
            trace = cls(disk, instance, formats_at(tracefs))
            trace._lost = instance.lost()
            return trace

    @property
    def lost(self) -> int:
        """How many events were lost since the instance was made, as was last asked by :meth:`losses`."""
        return self._lost

    def drain(self, dirty: DirtyMap) -> None:
        """Mark what the kernel noted before this call."""
        queued = completed = 0
        first, count = self.disk.first, self.disk.sectors
        with not_tracked():
            for page in self._instance.pages():
                written = self._reader.read(page)
                dirty.mark_sectors(written.queued, first, count)
                dirty.mark_sectors(written.completed, first, count)
                if self.disk.stacked:
                    self._under_way.mark_sectors(written.queued, first, count)
                of_queued = [sectors for _, sectors in written.queued]
                of_completed = [sectors for _, sectors in written.completed]
                queued, completed = queued + sum(of_queued), completed + sum(of_completed)
                self._largest = max(self._largest, *of_queued, *of_completed, 0)
                self._gaps += written.lost
        if queued or completed:
            self.told = ToldSectors(self.told.queued + queued, self.told.completed + completed)

    def under_way(self, now: float) -> tuple[DirtyExtent, ...]:
        """What was drained, and may reach the disk after this call with nobody telling of it. ``now``: monotonic seconds."""
        if not self.disk.stacked:
            return ()
        with not_tracked():
            return self._under_way.owed(counters_of(self.disk.disk).in_flight, self.disk.size, now)

    def losses(self) -> int:
        """How many events were lost since this was last asked."""
        with not_tracked():
            before, self._lost = self._lost, self._gaps + self._instance.lost()
        return abs(self._lost - before)

    def difference(self, path: str) -> str | None:
        """How the device is another one than it was, for people; None where it is the same."""
        with not_tracked():
            now = disk_at(path)
        if now == self.disk:
            return None
        if (now.number, now.sequence, now.first) == (self.disk.number, self.disk.sequence, self.disk.first):
            return f"the device was resized, from {self.disk.size} to {now.size} bytes"
        return "another device stands in its place"

    def tampered(self) -> str | None:
        """What keeps the kernel from noting, for people; None while it notes."""
        with not_tracked():
            noting = self._instance.is_noting(self.disk.number)
        return None if noting else "somebody changed the agent's trace instance"

    def account(self, dirty: DirtyMap) -> Account:
        """Begin to count; the moment is one without a write under way, where there is one."""
        with not_tracked():
            counters = self._counted_now(dirty)
            for _ in range(_LOOKS):
                if not counters.in_flight:
                    break
                counters = self._counted_now(dirty)
            # A stacked disk counts at any time after a write was queued, one with requests as soon as it is completed.
            uncounted = counters.in_flight if self.disk.stacked else min(counters.in_flight, os.cpu_count() or 1)
            return Account(self.told, counters.written, uncounted * self._largest)

    def _counted_now(self, dirty: DirtyMap) -> DiskCounters:
        self.drain(dirty)
        return counters_of(self.disk.disk)

    def missing(self, account: Account, dirty: DirtyMap) -> tuple[int, int]:
        """Sectors that were counted and not told of since an account began, and sectors that were counted at all."""
        with not_tracked():
            counters = counters_of(self.disk.disk)
        self.drain(dirty)
        missing = account.missing(counters.written, self.told, stacked=self.disk.stacked)
        return missing, counters.written - account.written

    def is_counted(self) -> bool:
        """Whether the disk counts its writes."""
        with not_tracked():
            return is_counted(self.disk.disk)

    def leave(self, kept: float = 0.0) -> None:
        """Let the kernel go on noting, for so many seconds at least."""
        self._instance.leave(kept)

    def end(self) -> None:
        """Nothing is noted any more."""
        with not_tracked():
            self._instance.remove()


@contextmanager
def not_tracked() -> Iterator[None]:
    """What the kernel refuses, as ``NotTracked``."""
    try:
        yield
    except UnknownFormat as error:
        raise NotTracked(f"this kernel's trace records cannot be read: {error}") from error
    except FileNotFoundError as error:
        raise NotTracked(f"{error.filename} does not exist") from error
    except OSError as error:
        raise NotTracked(_REASONS.get(error.errno or 0, f"{error.strerror} ({error.filename})")) from error


def _probe(path: str, disk: TrackedDisk, instance: TraceInstance, formats: BlockFormats) -> None:
    """Read from the device: its beginning must be told of, and its end, but for a stacked disk."""
    reader = RingReader(formats.page, formats.queue, formats.completions, disk.number, NOTHING)
    _read_directly(path)
    queued = completed = False
    for page in instance.pages():
        told = reader.read(page)
        queued, completed = queued or bool(told.queued), completed or bool(told.completed)
    if not queued or not (completed or disk.stacked):
        raise NotTracked("a read from it was not told of by the kernel's block tracepoints")


def _read_directly(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    try:
        with mmap.mmap(-1, _PROBED) as aligned:
            os.preadv(fd, [aligned], 0)
    finally:
        os.close(fd)
