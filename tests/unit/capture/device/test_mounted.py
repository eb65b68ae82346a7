"""Which filesystems stand on a device, by what the kernel tells of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from agent.capture.device.mounted import MountedFilesystem, filesystems_on, numbers_above, swaps_on
from agent.fs.block_device import BlockPlaces
from agent.watch.blocks.ports import DirtyExtent


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
        (own / part / "start").write_text(f"{at * 2048}\n")
        (own / part / "size").write_text("2048\n")
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
    root, btrfs, above = points["root"], points["a b"], tmp_path / "root" / "deep"
    deep = above / "er"
    for point in (*points.values(), deep):
        point.mkdir(parents=True, exist_ok=True)
    mounts = "".join(
        [
            line(first, points["root"]),
            line(first, above),
            line("253:7", deep, "xfs", options="ro"),
            # A container sees another device by the name by which this one was mounted outside.
            line("9:9", points["other"], source="/dev/null"),
            line("0:77", points["a b"], "btrfs", "/dev/null"),
        ]
    )
    found = filesystems_on("/dev/null", places(tmp_path, mounts))
    assert [
        MountedFilesystem(str(deep), "xfs", read_only=True, mounts=((1, str(deep)),)),
        MountedFilesystem(str(btrfs), "btrfs", False, DirtyExtent(0, sys.maxsize), ((1, str(btrfs)),)),
        MountedFilesystem(str(root), "ext4", False, DirtyExtent(1 << 20, 2 << 20), ((1, str(root)), (1, str(above)))),
    ] == found


def test_a_filesystem_of_a_whole_device(tmp_path: Path) -> None:
    """Stands on all of it; where the system swaps to is told as well."""
    own = os.stat("/dev/null").st_rdev
    number = f"{os.major(own)}:{os.minor(own)}"
    disk(tmp_path, "disk", number)
    point = tmp_path / "at"
    point.mkdir()
    told = places(tmp_path, line(number, point))
    told.swaps.write_text("Filename Type Size Used Priority\n/dev/null partition 8 0 -2\n/gone file 8 0 -2\n")
    whole = DirtyExtent(0, sys.maxsize)
    expected = [MountedFilesystem(str(point), "ext4", False, whole, ((1, str(point)),))]
    assert (expected, [whole]) == (filesystems_on("/dev/null", told), swaps_on("/dev/null", told))


def test_a_partition_that_is_swapped_to(tmp_path: Path) -> None:
    """Its bytes of the disk; a disk that nobody swaps to has none, also where the kernel knows no swap."""
    null, zero = (os.stat(f"/dev/{name}").st_rdev for name in ("null", "zero"))
    by = os.minor(zero) - os.minor(null)
    disk(tmp_path, "disk", f"{os.major(null)}:{os.minor(null)}", partitions=tuple(f"p{at + 1}" for at in range(by)))
    told = places(tmp_path, "")
    assert [] == swaps_on("/dev/null", told)
    told.swaps.write_text("Filename Type Size Used Priority\n/dev/zero partition 8 0 -2\n")
    assert [DirtyExtent(by << 20, (by + 1) << 20)] == swaps_on("/dev/null", told)


def test_numbers(tmp_path: Path) -> None:
    """The device, its partitions, and what holds them; a ring of holders ends."""
    own = os.stat("/dev/null").st_rdev
    number = f"{os.major(own)}:{os.minor(own)}"
    stack = disk(tmp_path, "stack", "253:7")
    disk(tmp_path, "disk", number, partitions=("p1",), holders=("stack",))
    (stack / "holders" / "disk").symlink_to(tmp_path / "real" / "disk")
    found = numbers_above("/dev/null", places(tmp_path, ""))
    assert {own, os.makedev(os.major(own), os.minor(own) + 1), os.makedev(253, 7)} == set(found)


def test_swap_on_what_is_made_of_a_partition(tmp_path: Path) -> None:
    """As on an encrypted partition, or a volume of LVM: all of what lies below counts, as nobody tells which bytes it has."""
    null, zero = (os.stat(path).st_rdev for path in ("/dev/null", "/dev/zero"))
    own = f"{os.major(null)}:{os.minor(null)}"
    part = disk(tmp_path, "disk", own, partitions=("p1",)) / "p1"
    swap = disk(tmp_path, "swap", f"{os.major(zero)}:{os.minor(zero)}")
    (swap / "slaves").mkdir()
    (swap / "slaves" / "p1").symlink_to(part)
    told = places(tmp_path, "")
    told.swaps.write_text("Filename Type Size Used Priority\n/dev/zero partition 8 0 -2\n")
    assert [DirtyExtent(2048 * 512, 4096 * 512)] == swaps_on("/dev/null", told)
