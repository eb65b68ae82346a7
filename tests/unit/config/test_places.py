"""Devices that are the same one, or lie in each other, under names that do not tell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.config import file_mistakes, load
from agent.config.places import PlacedDevice, disk_of, misplaced, overlap_of

DISK, PART, NEXT, OTHER = (8, 0), (8, 1), (8, 2), (8, 16)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (PlacedDevice(DISK, DISK), PlacedDevice(DISK, DISK), "is by another name the device that dataset"),
        (PlacedDevice(DISK, DISK), PlacedDevice(PART, DISK), "is a partition of the disk that dataset"),
        (PlacedDevice(PART, DISK), PlacedDevice(DISK, DISK), "is the disk of the partition that dataset"),
        (PlacedDevice(PART, DISK), PlacedDevice(NEXT, DISK), ""),
        (PlacedDevice(DISK, DISK), PlacedDevice(OTHER, OTHER), ""),
        (PlacedDevice((1, 2)), PlacedDevice((1, 2)), "is by another name the device that dataset"),
        (PlacedDevice(DISK), PlacedDevice(DISK, DISK), ""),
    ],
)
def test_what_one_is_of_the_other(one: PlacedDevice, other: PlacedDevice, said: str) -> None:
    """Disks, partitions, partitions beside each other, files, and a file whose numbers are a device's by chance."""
    assert said == overlap_of(one, other)


def test_the_disk_of_a_partition(tmp_path: Path) -> None:
    """As sysfs tells; a device of which it tells nothing is its own."""
    part = tmp_path / "sda" / "sda1"
    part.mkdir(parents=True)
    (tmp_path / "sda" / "dev").write_text("8:0\n")
    (part / "dev").write_text("8:1\n")
    (part / "partition").write_text("1\n")
    (tmp_path / "8:1").symlink_to(part)
    (tmp_path / "8:0").symlink_to(tmp_path / "sda")
    assert [DISK, DISK, OTHER] == [disk_of(one, tmp_path) for one in (PART, DISK, OTHER)]


def test_an_image_with_two_names_is_a_mistake(tmp_path: Path) -> None:
    """Two datasets would write over each other."""
    (tmp_path / "one").write_bytes(bytes(65536))
    os.link(tmp_path / "one", tmp_path / "two")
    written = '[node]\nname = "alpha"\n[[peer]]\nname = "beta"\naddress = "beta.example:7440"\n'
    for name in ("one", "two"):
        written += f'[[dataset]]\nname = "{name}"\nkind = "device"\npath = "{tmp_path / name}"\n'
        written += 'primary = "alpha"\nstandby = ["beta"]\n'
    (tmp_path / "agent.toml").write_text(written)
    found = file_mistakes(load(str(tmp_path / "agent.toml")))
    text = (
        f'"{tmp_path}/two" is by another name the device that dataset "one" has ({tmp_path}/one); '
        "write another place, or leave one out"
    )
    assert [text] == [one.message for one in found if one.key == "dataset[two].path"]


def test_of_two_datasets_at_one_place_neither_is_opened(tmp_path: Path) -> None:
    """Whichever of the two names is right: the alphabet does not decide it. A third is opened as ever."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "again").symlink_to("tree")
    text = '[node]\nname = "alpha"\nstate_dir = "/var/lib/x"\n[[peer]]\nname = "beta"\naddress = "beta:7440"\n'
    for name in ("again", "other", "tree"):
        place = f'path = "{tmp_path / name}"\nprimary = "alpha"\nstandby = ["beta"]\n'
        text += f'[[dataset]]\nname = "{name}"\n{place}'
    (tmp_path / "agent.toml").write_text(text)
    settings = load(str(tmp_path / "agent.toml"))
    assert [1, 0, 1] == [len(misplaced(settings, name)) for name in ("again", "other", "tree")]
