"""A moment of a device, read as an image."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from agent.core.chunks import DATA, DEVICE_CHUNK, HOLE
from agent.core.errors import Damaged
from agent.generations.devices.image import DeviceImage
from agent.store.catalog.reader import CatalogReader
from fakes.kept_device import KeptDevice, some_image
from fakes.store_fakes import number

_SIZE = 9 * DEVICE_CHUNK + 1000


@pytest.fixture
def kept(tmpfs_dir: Path) -> Iterator[KeptDevice]:
    """A device of nine chunks and a bit."""
    with KeptDevice.make(tmpfs_dir) as made:
        yield made


def test_each_moment_reads_as_it_was(kept: KeptDevice, rng: random.Random) -> None:
    """By ranges at random, through growth, shrinking and zeros."""
    image = bytearray(some_image(rng.randbytes(5000), 0, 3 * DEVICE_CHUNK - 100, 7 * DEVICE_CHUNK, size=_SIZE))
    for _ in range(6):
        kept.put(bytes(image))
        at = rng.randrange(len(image))
        part = rng.choice([rng.randbytes(70_000), bytes(200_000)])[: len(image) - at]
        image[at : at + len(part)] = part
        size = rng.choice([len(image), len(image) + 100_000, max(1, len(image) - 100_000)])
        image = bytearray(bytes(image[:size]).ljust(size, b"\0"))
    for at_commit, was in kept.images.items():
        with kept.image(at_commit) as shown:
            assert len(was) == shown.size
            assert was == shown.bytes_at(0, shown.size + 1)
            for _ in range(50):
                start, length = rng.randrange(len(was)), rng.randrange(300_000)
                assert was[start : start + length] == shown.bytes_at(start, length)


def test_zeros_are_holes(kept: KeptDevice) -> None:
    """Data and holes follow each other without gaps, and the last chunk is data whatever it holds."""
    at = kept.put(some_image(b"x", 2 * DEVICE_CHUNK, size=_SIZE))
    with kept.image(at) as shown:
        found = [(offset, one.kind, one.length) for offset, one in shown.within(0, shown.size)]
    assert [
        (0, HOLE, 2 * DEVICE_CHUNK),
        (2 * DEVICE_CHUNK, DATA, DEVICE_CHUNK),
        (3 * DEVICE_CHUNK, HOLE, 6 * DEVICE_CHUNK),
        (9 * DEVICE_CHUNK, DATA, 1000),
    ] == found


def test_a_chunk_of_another_length_is_damage(kept: KeptDevice) -> None:
    """What a vault gives is as long as its row says."""
    at = kept.put(some_image(b"x", 0, size=_SIZE))
    with kept.catalog.reader() as reader, pytest.raises(Damaged, match="4 bytes where the row says 65536"):
        DeviceImage(reader, lambda _name: b"four", at).bytes_at(0, 1)


def test_a_chunk_with_a_long_past_is_found_at_once(kept: KeptDevice) -> None:
    """A range costs what stands in it: the statement passes by what stood there before and since."""
    for salt in range(1, 200):
        kept.put(some_image(b"%d" % salt, 0, size=_SIZE))
    steps: list[int] = []
    with CatalogReader.open(str(kept.directory / "catalog.db")) as reader:
        shown = DeviceImage(reader, kept.vault.read, number(100))
        reader._connection.trace_v2(
            apsw.SQLITE_TRACE_PROFILE, lambda event: steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])
        )
        found = shown.bytes_at(0, 3)
    assert (True, b"100") == (0 < sum(steps) < 500, found)
