"""The partitions of a disk, read from its bytes."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from agent.fs.attaching.partitions import Partition, partitions_of
from fakes.loop_device import sparse

_SECTOR, _SIZE = 512, 64 << 20


def found(image: bytes, size: int = _SIZE) -> list[Partition]:
    """What is read of an image, which ends where it ends."""
    return partitions_of(lambda offset, length: image[offset : offset + length], size)


_GPT = "label: gpt\n1: start=2048, size=4096\n3: start=8192\n"
_LOGICAL = "label: dos\nstart=2048, size=4096\nstart=8192, size=8192, type=5\nstart=10240, size=2048\n"
_MBR = "label: dos\nstart=63, size=1000\n"


@pytest.mark.skipif(shutil.which("sfdisk") is None, reason="takes sfdisk (fdisk)")
@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        (_GPT, [(1, 2048, 4096), (3, 8192, None)]),
        (_LOGICAL, [(1, 2048, 4096), (5, 10240, 2048)]),
        (_MBR, [(1, 63, 1000)]),
    ],
    ids=["gpt", "logical", "mbr"],
)
def test_tables_as_they_are_written(tmp_path: Path, table: str, wanted: list[tuple[int, int, int | None]]) -> None:
    """By sfdisk: numbers, beginnings and lengths; one without a length goes to the end of what is free."""
    disk = sparse(tmp_path / "disk", _SIZE)
    subprocess.run(["sfdisk", "--quiet", str(disk)], input=table, text=True, check=True)
    told = [(one.number, one.start // _SECTOR, one.length // _SECTOR) for one in found(disk.read_bytes())]
    assert [one[:2] for one in wanted] == [one[:2] for one in told]
    assert [length or told[at][2] for at, (_, _, length) in enumerate(wanted)] == [length for _, _, length in told]


def test_what_is_no_table_has_none(seed: int) -> None:
    """A disk of zeros, one that is too short, and any bytes that end like a table: nothing beyond the disk, and no end."""
    assert ([], []) == (found(bytes(4096)), found(b"x"))
    chance = random.Random(seed)
    for _ in range(300):
        image = bytearray(chance.randbytes(64 * _SECTOR))
        for at in range(0, len(image), _SECTOR):
            image[at + 510 : at + 512] = b"\x55\xaa"
        struct.pack_into(
            "<B3xB3xII", image, 446, 0, chance.choice([0xEE, 5, 0x83]), chance.randrange(70), chance.randrange(70)
        )
        image[512:520] = b"EFI PART"
        assert all(0 < one.start and one.start + one.length <= len(image) for one in found(bytes(image), len(image)))
