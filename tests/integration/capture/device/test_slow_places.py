"""Places of a disk that cannot be read, and over which it takes its time: nothing waits for them."""

from __future__ import annotations

from pathlib import Path

from agent.capture.device.mounted import MountedFilesystem
from agent.capture.device.rhythm import RhythmLimits
from agent.core.chunks import unreadable_name
from agent.core.ids import ObjectId
from agent.core.problem_codes import NOT_STILL
from agent.fs.thaw_guard import FreezeFailed
from fakes.device_station import CHUNK, BadPlaces, DeviceStation, DiskGuard, device_station, image_of, wait_for

_BAD = 20


class SlowPlaces(BadPlaces):
    """Whoever reads a bad place while filesystems stand still keeps them beyond the guard's deadline."""

    def __init__(self, path: str, bad: set[int], guard: DiskGuard) -> None:
        super().__init__(path, bad)
        self._guard = guard

    def read(self, into: memoryview, offset: int) -> int:
        """See ``ReadsDevice``."""
        try:
            return super().read(into, offset)
        except OSError:
            if self._guard.stands:
                self._guard.late = FreezeFailed("freeze", "/mnt", "it stood still for too long")
            raise


def _station(tmp_path: Path, made: DeviceStation, bad: set[int]) -> None:
    made.opens = lambda path: SlowPlaces(path, bad, made.disk_guard)
    made.mounted = [MountedFilesystem(str(tmp_path), "ext4", read_only=False)]


def test_a_place_that_takes_long_ends_no_commit(tmp_path: Path) -> None:
    """Met within a freeze, which it outlasts, it is read outside the next; what was written beside it is committed, and it is
    owed, whatever is written to it afterwards."""
    image_of(tmp_path / "image", 40 * CHUNK, chunks=range(1, 41))
    bad: set[int] = set()
    with device_station(
        tmp_path / "image", tmp_path / "state", before=lambda made: _station(tmp_path, made, bad)
    ) as made:
        made.synced()
        bad.add(_BAD)
        made.outlet.chunks[unreadable_name(_BAD)] = bytes(CHUNK)
        for text in (b"once", b"and again"):
            made.write((_BAD - 1) * CHUNK, text)
            made.write(2 * CHUNK, text)
            wait_for(lambda text=text: made.image()[2 * CHUNK :].startswith(text))  # type: ignore[misc]
        assert (True, True) == (made.outlet.commits[-1].consistent, made.pump.unreadable(ObjectId(_BAD)))
        wait_for(lambda: NOT_STILL not in [one.code for one in made.board.listed()[0]])


def test_a_place_that_can_be_read_again_comes_by_itself(tmp_path: Path) -> None:
    """On a disk that nobody writes, some at a time: all of them in the end."""
    image_of(tmp_path / "image", 40 * CHUNK, chunks=range(1, 41))
    bad = {5, 9, 23}
    limits = RhythmLimits(retry=0.05, retried=2)

    def set_up(made: DeviceStation) -> None:
        made.opens = lambda path: BadPlaces(path, bad)
        made.outlet.chunks.update((unreadable_name(number), bytes(CHUNK)) for number in bad)

    with device_station(tmp_path / "image", tmp_path / "state", limits=limits, before=set_up) as made:
        made.synced()
        assert all(made.pump.unreadable(ObjectId(number)) for number in bad)
        bad.clear()
        wait_for(lambda: made.image() == made.path.read_bytes())
