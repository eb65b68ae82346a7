"""A peer says how long a device is: one of an exbibyte, of which nearly nothing is data, costs what is there and no more."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.bounds import VerifyLimits
from agent.apply.device.opened import device_errors
from agent.apply.device.ports import DeviceLimits
from agent.apply.results import ApplyProgress, RootFailed, VerifyReport, silent
from agent.core import chunks
from agent.core.chunks import DATA, DEVICE_CHUNK
from agent.core.commit import Changes, Commit
from agent.core.rows import encode_chunk
from agent.store.vault.codec import pack_chunk
from fakes.device_standby import DeviceStandby, device_standby
from fakes.store_fakes import header, number

#: The number of the last chunk: 1 EiB.
FAR = 1 << 44
#: Every slice looks at one chunk, and a run writes one at once.
SLICES = DeviceLimits(run=1, verify=VerifyLimits(slice=0.0))
DATA_OF = random.Random(1).randbytes(DEVICE_CHUNK)


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[DeviceStandby]:
    """A device of which nothing came yet, on a filesystem that takes the longest files."""
    with device_standby(tmpfs_dir / "it") as made:
        yield made


def _far(it: DeviceStandby) -> Commit:
    """A commit by which the device has its first chunk, one in the middle and the last one."""
    name = chunks.name_of(DATA_OF)
    it.kept.vault.add([pack_chunk(name, DATA, DATA_OF)], [DATA_OF])
    it.kept.vault.sync()
    rows = [encode_chunk(at, DEVICE_CHUNK, name) for at in (1, FAR // 2, FAR)]
    it.kept.catalog.write(Changes(rows, []), header(1))
    return it.commit(number(1))


class Steps:
    """Counts what a run reports, and ends one that walks over what is not there."""

    count = 0

    def __call__(self, progress: ApplyProgress) -> None:
        self.count += 1
        assert self.count <= 20


def test_what_stood_there_is_compared_where_something_is(it: DeviceStandby) -> None:
    """What a stranger had in the image is gone, and the rest stands."""
    with it.path.open("wb") as file:
        file.seek(FAR // 4 * DEVICE_CHUNK)
        file.write(b"foreign")
    steps = Steps()
    applied = it.applier(adopt=True, limits=SLICES).converge(_far(it), steps)
    with it.path.open("rb") as file:
        found = []
        for at in (0, FAR // 4, FAR // 2 - 1, FAR - 1):
            file.seek(at * DEVICE_CHUNK)
            found.append(file.read(DEVICE_CHUNK))
    assert (FAR * DEVICE_CHUNK, 0) == (it.path.stat().st_size, applied.failed)
    assert [DATA_OF, bytes(DEVICE_CHUNK), DATA_OF, DATA_OF] == found


def _verified(it: DeviceStandby, turns: int) -> VerifyReport | None:
    applier = it.applier(limits=SLICES)
    applier.converge(_far(it), silent)
    with it.path.open("r+b") as file:
        file.seek(FAR // 4 * DEVICE_CHUNK)
        file.write(b"foreign")
    verification = applier.verification(deep=False, progress=silent)
    reports = (verification.turn() for _ in range(turns))
    return next((report for report in reports if report is not None), None)


def test_a_verify_reads_what_is_there(it: DeviceStandby) -> None:
    """Three chunks with rows, and one that a stranger wrote into a hole of half an exbibyte."""
    report = _verified(it, 20)
    at = FAR // 4 * DEVICE_CHUNK
    assert report is not None
    assert [b"bytes %d-%d" % (at, at + DEVICE_CHUNK - 1)] == [one.path for one in report.differences]


def test_a_device_that_is_longer_than_a_file_can_be_is_told(it: DeviceStandby) -> None:
    """What it means, and where it can be kept."""
    with pytest.raises(RootFailed) as caught, device_errors("/srv/vm.img"):
        raise OSError(27, "File too large")
    assert "the primary's device is longer than a file can be on this filesystem" == caught.value.reason
