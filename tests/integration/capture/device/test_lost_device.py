"""A device that is pulled out, dies, is cut off or exchanged under a pump: no part of it passes for a moment of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from agent.core.chunks import unreadable_name
from agent.core.problem_codes import DEVICE_GONE, DEVICE_SHRUNK, UNREADABLE
from fakes.device_station import CHUNK, DeviceStation, DiskHealth, FailingDisk, device_station, image_of, wait_for


def held(made: DeviceStation) -> str | None:
    """The code of what holds capture."""
    hold = made.pump.facts().hold
    return hold.code if hold is not None else None


@pytest.mark.parametrize(
    "fault",
    [DiskHealth(errno.ENXIO), DiskHealth(errno.ENODEV), DiskHealth(errno.EIO), DiskHealth(ends=3 * CHUNK)],
    ids=["no such device", "pulled out", "every read fails", "cut off"],
)
def test_what_was_written_before_it_was_lost_is_in_no_commit(tmp_path: Path, fault: DiskHealth) -> None:
    """Two chunks that belong together: neither the one that could be read comes alone, nor are any owed; once it is back both
    come, though nobody told of them again."""
    image = image_of(tmp_path / "image", 8 * CHUNK, chunks=range(1, 9))
    health = DiskHealth()

    def set_up(made: DeviceStation) -> None:
        made.opens = lambda path: FailingDisk(path, health)

    with device_station(tmp_path / "image", tmp_path / "state", before=set_up) as made:
        made.synced()
        before = len(made.outlet.commits)
        health.error, health.ends = fault.error, fault.ends
        made.write(CHUNK, b"first")
        made.write(5 * CHUNK, b"second")
        wait_for(lambda: held(made) == DEVICE_GONE)
        assert (before, image, []) == (len(made.outlet.commits), made.image(), _unreadable(made))
        health.error, health.ends = 0, None
        wait_for(lambda: made.image() == made.path.read_bytes())
        assert (True, None) == (made.outlet.commits[-1].consistent, held(made))


def test_an_exchanged_image_waits_for_accept(tmp_path: Path) -> None:
    """Another file of the same length at its path is not captured, over a restart either, until an operator says so."""
    image = image_of(tmp_path / "image", 8 * CHUNK, chunks=[1, 2])
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        image_of(tmp_path / "other", 8 * CHUNK, chunks=[5])
        os.replace(tmp_path / "other", tmp_path / "image")
        wait_for(lambda: held(made) == DEVICE_SHRUNK)
        assert image == made.image()
        rows, stored = made.outlet.rows, made.outlet.chunks
    with device_station(tmp_path / "image", tmp_path / "state") as again:
        again.outlet.rows.update(rows)
        again.outlet.chunks.update(stored)
        wait_for(lambda: held(again) == DEVICE_SHRUNK)
        again.pump.accept_root()
        wait_for(lambda: again.image() == again.path.read_bytes())


def test_a_place_that_is_bad_no_more_after_a_return_is_told_no_more(tmp_path: Path) -> None:
    """What was said of the device before it went is not said of the one that came."""
    image_of(tmp_path / "image", 8 * CHUNK, chunks=range(1, 9))
    bad = {3}

    class BadThenGone(FailingDisk):
        def read(self, into: memoryview, offset: int) -> int:
            if any(offset < number * CHUNK and (number - 1) * CHUNK < offset + len(into) for number in bad):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(into, offset)

    health = DiskHealth()

    def set_up(made: DeviceStation) -> None:
        made.opens = lambda path: BadThenGone(path, health)
        made.outlet.chunks[unreadable_name(3)] = bytes(CHUNK)

    with device_station(tmp_path / "image", tmp_path / "state", before=set_up) as made:
        made.synced()
        assert [UNREADABLE] == _unreadable(made)
        health.error = errno.ENXIO
        made.write(0, b"x")
        wait_for(lambda: held(made) == DEVICE_GONE)
        bad.clear()
        health.error = 0
        wait_for(lambda: made.image() == made.path.read_bytes())
        assert [] == _unreadable(made)


def _unreadable(made: DeviceStation) -> list[str]:
    return [one.code for one in made.board.listed()[0] if one.code == UNREADABLE]
