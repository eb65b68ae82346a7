"""A verify of a device's standby: what a stranger wrote is found and mended, and nothing else is told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.bounds import VerifyLimits
from agent.apply.device.ports import DeviceLimits
from agent.apply.results import silent
from agent.core.chunks import DEVICE_CHUNK
from fakes.device_standby import DeviceStandby, device_standby, scattered

#: Every slice looks at one chunk.
SLICES = DeviceLimits(run=1, verify=VerifyLimits(slice=0.0))


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[DeviceStandby]:
    """A device of which nothing came yet."""
    with device_standby(tmpfs_dir / "it") as made:
        yield made


def _write(it: DeviceStandby, offset: int, data: bytes) -> None:
    with it.path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_an_equal_standby_is_told_as_equal(it: DeviceStandby) -> None:
    """All is read, holes are not."""
    image = random.Random(1).randbytes(5 * DEVICE_CHUNK) + bytes(20 * DEVICE_CHUNK)
    applier = it.applier()
    newest = it.put(image)
    applier.converge(newest, silent)
    report = applier.verify(deep=False)
    assert (report.equal, report.checked_entries, report.number) == (True, 6, newest.number)


@pytest.mark.parametrize("deep", [False, True])
def test_foreign_writes_are_found_as_extents(it: DeviceStandby, deep: bool) -> None:
    """One into data, one over two neighbours, one into a hole."""
    image = random.Random(2).randbytes(6 * DEVICE_CHUNK) + bytes(10 * DEVICE_CHUNK) + b"end"
    applier = it.applier()
    applier.converge(it.put(image), silent)
    for offset, data in ((7, b"x"), (3 * DEVICE_CHUNK - 2, b"yyyy"), (9 * DEVICE_CHUNK, b"z")):
        _write(it, offset, data)
    found = [one.path for one in applier.verify(deep=deep).differences]
    assert found == [b"bytes 0-65535", b"bytes 131072-262143", b"bytes 589824-655359"]


def test_a_standby_of_another_length_is_found(it: DeviceStandby) -> None:
    """A stranger cut it off."""
    applier = it.applier()
    applier.converge(it.put(bytes(70_000) + b"a" * 70_000), silent)
    with it.path.open("r+b") as file:
        file.truncate(60_000)
    assert not applier.verify(deep=False).equal


def test_repair_makes_it_equal(it: DeviceStandby) -> None:
    """What differs is written anew, and it is told how much."""
    image = random.Random(3).randbytes(6 * DEVICE_CHUNK)
    applier = it.applier()
    applier.converge(it.put(image), silent)
    _write(it, 5, b"x")
    _write(it, 4 * DEVICE_CHUNK, b"x")
    report = applier.verify(deep=False, repair=True)
    assert (report.equal, report.repaired, it.content()) == (True, 2, image)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_applied_meanwhile_is_no_difference(it: DeviceStandby, seed: int) -> None:
    """Commits are applied between the slices of a verify, which finds nothing but what a stranger wrote."""
    rng = random.Random(seed)
    image = rng.randbytes(10 * DEVICE_CHUNK)
    applier = it.applier(limits=SLICES)
    applier.converge(it.put(image), silent)
    verification, report = applier.verification(deep=False, progress=silent), None
    for _ in range(30):
        if (report := verification.turn()) is not None:
            break
        if rng.random() < 0.4:
            image = scattered(rng, image)
            applier.converge(it.put(image), silent)
    while report is None:
        report = verification.turn()
    assert (report.differences, report.number) == ((), applier.applied)


def test_what_was_read_before_it_changed_is_read_again(it: DeviceStandby) -> None:
    """A difference that an apply wrote over is none any more, and what a stranger wrote behind the verify is one."""
    image = random.Random(4).randbytes(10 * DEVICE_CHUNK)
    applier = it.applier(limits=SLICES)
    applier.converge(it.put(image), silent)
    _write(it, DEVICE_CHUNK + 3, b"stranger")
    verification = applier.verification(deep=False, progress=silent)
    for _ in range(5):
        assert verification.turn() is None
    applier.converge(it.put(b"newer" + image[5:DEVICE_CHUNK] + b"newer" + image[DEVICE_CHUNK + 5 :]), silent)
    _write(it, 100, b"stranger")
    while (report := verification.turn()) is None:
        pass
    assert [one.path for one in report.differences] == [b"bytes 0-65535"]
