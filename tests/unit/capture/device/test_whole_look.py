"""Whether a device was written during a look, by what the kernel counts."""

from __future__ import annotations

import functools
import time
from pathlib import Path

import pytest

from agent.capture.device.whole_look import Counted, WholeLook, counted_in, written_so_far
from agent.fs.durable import timestamp_grain_ns
from fakes.device_station import wait_for


def counters(base: Path, *, iostats: str | None = "1", under_way: int = 0, is_partition: bool = False) -> Path:
    """A disk in a sysfs of our own, or a partition of one: 70 sectors written, 5 discarded."""
    disk = base / "real" / "disk"
    own = disk / "part" if is_partition else disk
    own.mkdir(parents=True)
    (disk / "queue").mkdir()
    if iostats is not None:
        (disk / "queue" / "iostats").write_text(f"{iostats}\n")
    if is_partition:
        (own / "partition").write_text("1\n")
    (own / "stat").write_text("1 2 3 4 5 6 70 8 9 10 11 12 13 5 15\n")
    (own / "inflight").write_text(f"       3        {under_way}\n")
    link = base / "1:2"
    link.symlink_to(own)
    return link


@pytest.mark.parametrize("is_partition", [False, True])
@pytest.mark.parametrize(
    ("iostats", "under_way", "expected"), [("1", 0, (70, 5)), ("0", 0, None), (None, 0, None), ("1", 1, None)]
)
def test_a_device_is_counted_where_its_disk_counts(
    tmp_path: Path, is_partition: bool, iostats: str | None, under_way: int, expected: Counted | None
) -> None:
    """A partition has no queue: its disk's says so. Where nobody can say, or a write is under way, nothing is known."""
    directory = counters(tmp_path, iostats=iostats, under_way=under_way, is_partition=is_partition)
    assert expected == counted_in(directory)


def settled(path: Path) -> None:
    """Wait until a later write moves the times of a file for sure."""
    with path.open("rb") as file:
        grain = timestamp_grain_ns(file.fileno())
    wait_for(lambda: path.stat().st_ctime_ns + grain < time.time_ns())


def test_a_look_says_something_once_it_has_ended(tmp_path: Path) -> None:
    """Of one that goes on nothing is known; the next makes the one before forgotten."""
    image = tmp_path / "image"
    image.write_bytes(b"there")
    settled(image)
    look = WholeLook(str(image))
    said = [look.has_moved()]
    counted = look.begin()
    said.append(look.has_moved())
    look.ended(counted)
    said.append(look.has_moved())
    look.begin()
    said.append(look.has_moved())
    assert [True, True, False, True] == said


def test_an_image_that_is_written_has_moved(tmp_path: Path) -> None:
    """Its times tell, as long as the next write moves them for sure: not while the last was just now."""
    image = tmp_path / "image"
    image.write_bytes(b"there")
    settled(image)
    look = WholeLook(str(image))
    look.ended(look.begin())
    before = look.has_moved()
    image.write_bytes(b"other")
    assert (False, True) == (before, look.has_moved())
    newest = max(image.stat().st_mtime_ns, image.stat().st_ctime_ns)
    clocks = [functools.partial(int, newest + by) for by in (1, 10**12, -(10**12))]
    known = [written_so_far(str(image), clock) is not None for clock in clocks]
    assert [False, True, True] == known


def test_what_is_gone_has_moved(tmp_path: Path) -> None:
    """Nobody knows what was written to it."""
    look = WholeLook(str(tmp_path / "gone"))
    look.ended(look.begin())
    assert look.has_moved()
