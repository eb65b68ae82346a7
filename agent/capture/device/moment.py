"""The moment at which a device stands still: frozen by the guard, drained, read into locked memory, thawed.

Within the freeze nothing is called but the tracker and ``preadv``: no SQLite, no log, no lock that a writer may hold, since our
own state may stand on what is frozen. What nobody can freeze (a device that is used without a filesystem, a filesystem that
knows no freeze) stood still where the tracker tells of no write between the drain and the end of the read.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace

from agent.capture.access.image import LockedMemory
from agent.capture.device.mounted import MountedFilesystem
from agent.capture.device.opened import GONE, DeviceLost, ReadsDevice
from agent.capture.device.runs import Run, begins_at, bytes_of, chunk_runs, in_reads, united, within, without
from agent.core.chunks import DEVICE_CHUNK
from agent.core.errors import HikaeError, TryAgain
from agent.fs.thaw_guard import CannotFreeze, FreezeRoot, FreezingDisks
from agent.watch.blocks.ports import BlockTracker, Dirtied, DirtyExtent

#: A read is of so many chunks.
AT_ONCE = 16

#: Chunks that could not be read, and why.
Unread = list[tuple[int, OSError]]
#: A run of chunks, and the bytes that stand there.
Piece = tuple[Run, memoryview]


@dataclass(frozen=True, slots=True)
class StillMoment:
    """What was read. ``told``: what the tracker told of; ``stood``: seconds for which nobody could write, ``reading``: of these,
    seconds of reading; ``left``: bytes that were to be read and did not fit, 0 when all was read; ``moving``: why it did not
    stand still, None when it did."""

    told: Dirtied
    pieces: Sequence[Piece] = ()
    unread: Sequence[tuple[int, OSError]] = ()
    stood: float = 0.0
    reading: float = 0.0
    left: int = 0
    moving: str | None = None


@dataclass(frozen=True, slots=True)
class OpenedRoots:
    """What can be frozen of a device. ``roots``: of its filesystems that take writes, open; ``parts``: the bytes of the device on
    which these stand, by their path, as far as it is known; ``swaps``: those to which the system swaps; ``unreached``: where
    others are mounted, to which no path leads."""

    roots: Sequence[FreezeRoot] = ()
    parts: Mapping[str, DirtyExtent] = field(default_factory=dict)
    swaps: Sequence[DirtyExtent] = ()
    unreached: Sequence[str] = ()

    def still(self, standing: Sequence[FreezeRoot]) -> list[DirtyExtent]:
        """The bytes of the device in which no write counts while these stand."""
        return [*self.swaps, *(self.parts[path] for _, path in standing if path in self.parts)]


@dataclass(slots=True)
class StandingStill:
    """One try. ``memory``: locked; ``fits``: bytes that may be read; ``deadline``: seconds after which the guard thaws;
    ``unfrozen``: filesystems that know no freeze: added to, and not tried again; ``bad``: chunks, rising, that could not be read
    a moment ago, and are not tried while others wait: a disk may take longer over one than anything may stand still;
    ``is_joint``: others are frozen with it, even where nothing of it is."""

    device: ReadsDevice
    tracker: BlockTracker
    freezing: FreezingDisks
    memory: LockedMemory
    fits: int
    deadline: float
    unfrozen: set[str] = field(default_factory=set)
    bad: Sequence[int] = ()
    is_joint: bool = False

    def read(self, rest: Sequence[Run], opened: OpenedRoots) -> StillMoment:
        """Freeze what is opened, read ``rest`` and what the tracker tells of then.

        Raises ``HikaeError`` where they did not stand, or not for as long as it took: what the tracker told is owed then."""
        while True:
            standing = [root for root in opened.roots if root[1] not in self.unfrozen]
            try:
                return self._frozen_read(rest, standing, opened.still(standing))
            except CannotFreeze as error:
                self.unfrozen.add(error.subject)

    def _frozen_read(
        self, rest: Sequence[Run], roots: Sequence[FreezeRoot], still: Sequence[DirtyExtent]
    ) -> StillMoment:
        moment = StillMoment(Dirtied((), None))
        began = time.monotonic()
        try:
            with self._standing(roots):
                moment = StillMoment(self.tracker.take())
                moment = self._read(moment, rest)
                if not within((DirtyExtent(0, self.device.size),), still):
                    moment = self._unless_written(moment, still, is_raw=not roots)
        except HikaeError:
            self.tracker.restore(moment.told)
            raise
        return replace(moment, stood=time.monotonic() - began if roots else 0.0)

    def _standing(self, roots: Sequence[FreezeRoot]) -> AbstractContextManager[None]:
        return self.freezing.all_frozen(roots, self.deadline) if roots or self.is_joint else nullcontext()

    def _read(self, moment: StillMoment, rest: Sequence[Run]) -> StillMoment:
        runs, bad = without(united(rest, chunk_runs(moment.told.extents, self.device.size)), self.bad)
        size, at, began = bytes_of(runs), 0, time.monotonic()
        if size > self.fits or moment.told.reconcile is not None:
            return replace(moment, left=max(size, 1))
        pieces: list[Piece] = []
        unread: Unread = [(number, OSError(errno.EIO, os.strerror(errno.EIO))) for number in bad]
        for run in in_reads(runs, AT_ONCE):
            view = self.memory.view[at : at + bytes_of((run,))]
            at += len(view)
            pieces += read_run(self.device, run, view, unread)
        return replace(moment, pieces=pieces, unread=unread, reading=time.monotonic() - began)

    def _unless_written(self, moment: StillMoment, still: Sequence[DirtyExtent], *, is_raw: bool) -> StillMoment:
        """What was written while it was read is owed, and the moment was none if that was outside of ``still``."""
        after = self.tracker.take()
        if after.extents or after.reconcile is not None:
            self.tracker.restore(after)
        if after.reconcile is None and within(after.extents, still):
            return moment
        what = "nothing of it can be frozen" if is_raw else "that part of it cannot be frozen"
        return replace(moment, moving=f"it was written while it was read, and {what}")


def read_run(device: ReadsDevice, run: Run, view: memoryview, unread: Unread) -> list[Piece]:
    """A run in as few pieces as its bad places leave; what cannot be read is added to ``unread``, chunk by chunk. Raises
    ``DeviceLost``: a device that is gone, or ends early, has no bad places."""
    first, last = run
    begin = begins_at(first)
    try:
        got = device.read(view, begin)
        if got < min(len(view), device.size - begin):
            raise DeviceLost(device.path, f"it ends at {begin + got:,}, and had {device.size:,} bytes")
        return [(run, view[:got])]
    except OSError as error:
        if error.errno in GONE:
            raise DeviceLost(device.path, error.strerror or str(error)) from error
        if first == last:
            unread.append((first, error))
            return []
    pieces: list[Piece] = []
    for number in range(first, last + 1):
        at = begins_at(number) - begins_at(first)
        pieces += read_run(device, (number, number), view[at : at + DEVICE_CHUNK], unread)
    return pieces


@contextmanager
def opened_roots(filesystems: Sequence[MountedFilesystem], swaps: Sequence[DirtyExtent]) -> Iterator[OpenedRoots]:
    """The roots of those that take writes, open."""
    with ExitStack() as stack:
        roots: list[FreezeRoot] = []
        parts: dict[str, DirtyExtent] = {}
        unreached: list[str] = []
        for one in filesystems:
            if one.read_only:
                continue
            try:
                found = one.opened()
            except (OSError, ValueError) as error:
                reason = f"it cannot be looked at: {error}"
                raise TryAgain(
                    "freeze what stands on the device", one.point, reason, "see the kernel log (dmesg)"
                ) from error
            if found is None:
                unreached.append(one.point)
                continue
            stack.callback(os.close, found[0])
            roots.append(found)
            if one.part is not None:
                parts[found[1]] = one.part
        yield OpenedRoots(roots, parts, swaps, unreached)
