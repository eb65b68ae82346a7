"""A pump of a device over an image file, with a tracker that is told, a guard that freezes nothing, and a peer in memory."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.capture.device.mounted import MountedFilesystem
from agent.capture.device.opened import ReadsDevice, SourceDevice, open_device
from agent.capture.device.opening import DeviceOpening
from agent.capture.device.pump import DevicePump
from agent.capture.device.rhythm import LIMITS, RhythmLimits
from agent.capture.device.yielding import Yielding, yields_to_others
from agent.capture.ports import CaptureContext
from agent.capture.pumping.thread import PumpCalls
from agent.config.values import DeviceTerms
from agent.core.chunks import DEVICE_CHUNK
from agent.core.clock import SystemClock
from agent.core.errors import HikaeError
from agent.core.ids import Epoch
from agent.core.problem import ProblemBoard
from agent.core.rows import decode_chunk
from agent.fs.thaw_guard import FreezeRoot, FreezingDisks
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiring.expiry import ALL_HISTORY
from agent.store.local import Local
from agent.watch.blocks.ports import BlockTracker, DirtyExtent
from agent.watch.hint import waits_for_nothing
from fakes.capture_fakes import WAIT, RecordingOutlet, wait_for
from fakes.idle import nothing_first
from fakes.tracked import FakeTracker

CHUNK = DEVICE_CHUNK


class DiskGuard:
    """Freezes nothing; ``fails`` is raised instead; ``stands``: within a freeze. Satisfies ``FreezingDisks``."""

    def __init__(self) -> None:
        self.fails: HikaeError | None = None
        self.times = 0
        self.stands = False
        #: What is raised at the end of a freeze: it took too long.
        self.late: HikaeError | None = None

    @contextmanager
    def frozen(self, root_fd: int, path: str, seconds: float) -> Iterator[None]:
        """See ``Freezing``."""
        with self.all_frozen([(root_fd, path)], seconds):
            yield

    @contextmanager
    def all_frozen(self, roots: Sequence[FreezeRoot], seconds: float) -> Iterator[None]:
        """See ``FreezingDisks``."""
        self.times += 1
        if self.fails is not None:
            raise self.fails
        self.stands = True
        yield
        self.stands = False
        late, self.late = self.late, None
        if late is not None:
            raise late


class BadPlaces(SourceDevice):
    """An image some chunks of which cannot be read, as a disk with bad sectors."""

    def __init__(self, path: str, bad: set[int]) -> None:
        found = open_device(path)
        super().__init__(path, found.fd, found.size, is_block=False)
        self.bad = bad

    def read(self, into: memoryview, offset: int) -> int:
        """See ``ReadsDevice``."""
        if any(offset < number * CHUNK and (number - 1) * CHUNK < offset + len(into) for number in self.bad):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(into, offset)


@dataclass
class DiskHealth:
    """What each read of a disk fails with (errno), 0: it is well; ``ends``: bytes behind which nothing is, None: where it is."""

    error: int = 0
    ends: int | None = None


class FailingDisk(SourceDevice):
    """An image of which nothing can be read for a time, as a disk that is pulled out or dies; its path still leads to it."""

    def __init__(self, path: str, health: DiskHealth) -> None:
        found = open_device(path)
        super().__init__(path, found.fd, found.size, is_block=False)
        self._health = health

    def read(self, into: memoryview, offset: int) -> int:
        """See ``ReadsDevice``."""
        if self._health.error:
            raise OSError(self._health.error, os.strerror(self._health.error))
        got = super().read(into, offset)
        return got if self._health.ends is None else max(0, min(got, self._health.ends - offset))


class DeviceStation:
    """``path``: the image file. ``before_take`` is called before each take of the tracker."""

    def __init__(
        self, path: Path, state: Path, terms: DeviceTerms, limits: RhythmLimits, outlet: RecordingOutlet
    ) -> None:
        self.path = path
        self.terms = terms
        self.outlet = outlet
        self.tracker = FakeTracker(path.stat().st_size)
        self.disk_guard = DiskGuard()
        self.guard: FreezingDisks = self.disk_guard
        self.opens_tracker: Callable[[ReadsDevice], BlockTracker] = self._tracker
        self.filesystems: Callable[[str], Sequence[MountedFilesystem]] = lambda _: self.mounted
        self.board = ProblemBoard()
        self.failed: list[Exception] = []
        self.opens: Callable[[str], ReadsDevice] = open_device
        self.limits = limits
        self.yielding: Callable[[], Yielding] = yields_to_others
        #: What stands on the image, and where the system swaps to.
        self.mounted: list[MountedFilesystem] = []
        self.swaps: list[DirtyExtent] = []
        state.mkdir(exist_ok=True)
        self.catalog = Catalog.open(str(state / "catalog.db"))
        if not self.catalog.lineage:
            self.catalog.begin_epoch(Epoch(1, "alpha", bytes(16)))
        self.local = Local.open(str(state / "local.db"))

    def start(self) -> None:
        """Begin to capture."""
        clock = SystemClock()
        context = CaptureContext("disk", self.catalog, self.local, None, self.board, clock)
        opening = DeviceOpening(
            str(self.path),
            self.opens_tracker,
            self.guard,
            lambda: self.terms,
            self.limits,
            self.opens,
            self.sees_filesystems,
            lambda _: self.swaps,
            yielding=self.yielding,
        )
        calls = PumpCalls(
            lambda: waits_for_nothing, self.failed.append, lambda: ALL_HISTORY, lambda _: None, nothing_first
        )
        self.pump = DevicePump(context, opening, self.outlet, calls)
        self.pump.start()

    def sees_filesystems(self, path: str) -> Sequence[MountedFilesystem]:
        """What stands on it now, by what a test may put in place of this later."""
        return self.filesystems(path)

    def _tracker(self, device: ReadsDevice) -> FakeTracker:
        self.tracker.size = device.size
        return self.tracker

    def close(self) -> None:
        """End, and close the stores."""
        self.pump.stop()
        self.local.close()
        self.catalog.close()

    def synced(self) -> None:
        """Wait until all that was written is committed."""
        self.pump.barrier().wait(WAIT)

    def write(self, offset: int, data: bytes) -> None:
        """Write, and have the tracker told."""
        with self.path.open("r+b") as file:
            file.seek(offset)
            file.write(data)
        self.tracker.wrote(offset, len(data))

    def image(self) -> bytes:
        """The device as the peer has it."""
        rows = [decode_chunk(row) for row in self.outlet.rows.values()]
        image = bytearray(max((one.end for one in rows), default=0))
        for one in rows:
            image[one.offset : one.end] = self.outlet.chunks[one.name]
        return bytes(image)


@contextmanager
def device_station(
    path: Path,
    state: Path,
    *,
    rpo: float = 0.1,
    limits: RhythmLimits = LIMITS,
    outlet: RecordingOutlet | None = None,
    before: Callable[[DeviceStation], None] = lambda _: None,
) -> Iterator[DeviceStation]:
    """A station that runs."""
    made = DeviceStation(path, state, DeviceTerms(rpo, 0.05), limits, outlet or RecordingOutlet())
    before(made)
    made.start()
    try:
        yield made
    finally:
        made.close()
    assert [] == made.failed


def image_of(path: Path, size: int, *, chunks: Sequence[int] = ()) -> bytes:
    """A sparse file with random bytes in these chunks, counted from 1; what it holds."""
    with path.open("wb") as file:
        file.truncate(size)
        for number in chunks:
            file.seek((number - 1) * CHUNK)
            file.write(os.urandom(min(CHUNK, size - (number - 1) * CHUNK)))
    return path.read_bytes()


__all__ = [
    "CHUNK",
    "WAIT",
    "BadPlaces",
    "DeviceStation",
    "DiskGuard",
    "DiskHealth",
    "FailingDisk",
    "device_station",
    "image_of",
    "wait_for",
]
