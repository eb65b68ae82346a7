"""Which filesystems stand on a device, by what the kernel tells of it."""

from __future__ import annotations

import os
from pathlib import Path

from agent.capture.device.mounted import MountedFilesystem, filesystems_on, numbers_above
from agent.fs.block_device import BlockPlaces


def disk(
    base: Path, name: str, number: str, *, partitions: tuple[str, ...] = (), holders: tuple[str, ...] = ()
) -> Path:
    """A device in a sysfs of our own."""
    own = base / "real" / name
    (own / "holders").mkdir(parents=True)
    (own / "dev").write_text(f"{number}\n")
    (base / "devices").mkdir(exist_ok=True)
    (base / "devices" / number).symlink_to(own)
    major, minor = number.split(":")
    for at, part in enumerate(partitions, 1):
        (own / part).mkdir()
        (own / part / "partition").write_text(f"{at}\n")
        (own / part / "dev").write_text(f"{major}:{int(minor) + at}\n")
    for holder in holders:
        (own / "holders" / holder).symlink_to(base / "real" / holder)
    return own


def places(base: Path, mounts: str) -> BlockPlaces:
    """Where that is told of."""
    (base / "mountinfo").write_text(mounts)
    (base / "blocks").mkdir(exist_ok=True)
    return BlockPlaces(base / "devices", base / "blocks", base / "mountinfo", base / "swaps")


def line(number: str, point: Path, type_: str = "ext4", source: str = "none", options: str = "rw") -> str:
    """One of mountinfo."""
    return f"1 1 {number} / {str(point).replace(' ', chr(92) + '040')} {options} - {type_} {source} {options}\n"


def test_all_on_a_disk_deepest_first(tmp_path: Path) -> None:
    """Its partitions, what is stacked on it, and nothing of another disk; each filesystem once, however often it is mounted."""
    own = os.stat("/dev/null").st_rdev  # any device node that is there
    number = f"{os.major(own)}:{os.minor(own)}"
    disk(tmp_path, "stack", "253:7")
    disk(tmp_path, "disk", number, partitions=("p1", "p2"), holders=("stack",))
    first = f"{os.major(own)}:{os.minor(own) + 1}"
    points = {name: tmp_path / name for name in ("a", "a b", "root", "other")}
    deep = tmp_path / "root" / "deep" / "er"
    for point in (*points.values(), deep):
        point.mkdir(parents=True, exist_ok=True)
    mounts = "".join(
        [
            line(first, points["root"]),
            line(first, tmp_path / "root" / "deep"),
            line("253:7", deep, "xfs", options="ro"),
            # A container sees another device by the name by which this one was mounted outside.
            line("9:9", points["other"], source="/dev/null"),
            line("0:77", points["a b"], "btrfs", "/dev/null"),
        ]
    )
    found = filesystems_on("/dev/null", places(tmp_path, mounts))
    assert [
        MountedFilesystem(str(deep), "xfs", read_only=True),
        MountedFilesystem(str(points["a b"]), "btrfs", read_only=False),
        MountedFilesystem(str(points["root"]), "ext4", read_only=False),
    ] == found


def test_numbers(tmp_path: Path) -> None:
    """The device, its partitions, and what holds them; a ring of holders ends."""
    own = os.stat("/dev/null").st_rdev
    number = f"{os.major(own)}:{os.minor(own)}"
    stack = disk(tmp_path, "stack", "253:7")
    disk(tmp_path, "disk", number, partitions=("p1",), holders=("stack",))
    (stack / "holders" / "disk").symlink_to(tmp_path / "real" / "disk")
    found = numbers_above("/dev/null", places(tmp_path, ""))
    assert {own, os.makedev(os.major(own), os.minor(own) + 1), os.makedev(253, 7)} == set(found)
