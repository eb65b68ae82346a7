"""``docs/status.md`` of a device. See ``fakes.status_pages``; ``HIKAE_WRITE_PAGES=1`` writes the document anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.watch.blocks.instances import instance_name
from agent.watch.blocks.tracefs import tracefs_place
from fakes.agents import UNBRAKED
from fakes.background import Background
from fakes.device_agents import QUICK, DevicePair, device_pair
from fakes.eventually import eventually
from fakes.failing_file import failing_disk
from fakes.fuse import needs_fuse
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import run, unmount
from fakes.status_pages import Json, is_state, must_be
from fakes.written_disk import needs_tracepoints

pytestmark = [needs_loops, pytest.mark.usefixtures("utc")]
MIB = 1 << 20
#: Of a device that is never behind, however slow this machine is just now: what is asked for is committed at once all the same.
_SELDOM = UNBRAKED + QUICK.replace('"1s"', '"60s"')


class _Overwriting(Background):
    """Writes a large file anew, all the time, and syncs it."""

    def __init__(self, path: Path) -> None:
        super().__init__("overwriting", 0.01)
        self._path = path

    def turn(self) -> None:
        with self._path.open("wb") as file:
            file.write(os.urandom(16 * MIB))
            os.fsync(file.fileno())


def _equal(both: DevicePair) -> None:
    both.start()
    for agent in both.agents:
        agent.up()
    both.equal()


def _mounted(both: DevicePair) -> Path:
    """ext4 on alpha's device, mounted, and all of it applied on beta."""
    run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(both.source))
    where = both.mount(both.source)
    both.start()
    for agent in both.agents:
        agent.up()
    both.alpha.wait(name="disk", within=90.0)
    return where


def _lags(word: str) -> Callable[[Json], bool]:
    """The dataset is in that state, and has been for so long that its peer shows it."""

    def test(dataset: Json) -> bool:
        return is_state(word)(dataset) and (dataset["peers"][0]["lag_seconds"] or 0) > 4

    return test


def _heard(word: str, warnings: int) -> Callable[[Json], bool]:
    """The dataset is in that state, and has heard that its peer has so many warnings."""

    def test(dataset: Json) -> bool:
        return is_state(word)(dataset) and dataset["peers"][0]["warnings"] == warnings

    return test


def test_held_as_the_device_is_gone(tmpfs_dir: Path) -> None:
    """The name of the primary's disk leads nowhere; the standby keeps what it has."""
    link = tmpfs_dir / "disk"
    with attached(sparse(tmpfs_dir / "one", 8 * MIB)) as device:
        link.symlink_to(device)
        with device_pair(image=link) as both:
            with both.source.open("r+b") as disk:
                disk.write(b"first")
            _equal(both)
            link.unlink()
            must_be("held: the device is gone", both, _lags("held"), is_state("held"))


def test_held_as_the_standby_is_in_use() -> None:
    """Somebody mounted the standby's device while its agent did not run."""
    with device_pair(16 * MIB, block_standby=True) as both:
        run("mkfs.ext4", "-q", "-F", str(both.source))
        _equal(both)
        both.beta.kill()
        where = both.mount(both.target)
        both.beta.start()
        must_be("held: the standby is in use", both, is_state("held"), is_state("held"))
        unmount(where)


def test_not_still() -> None:
    """Another program froze the filesystem: nothing is committed until it thaws it."""
    with device_pair(32 * MIB, extra=_SELDOM) as both:
        where = _mounted(both)
        run("fsfreeze", "--freeze", str(where))
        try:
            # Past the filesystem, which takes nothing now.
            with both.source.open("r+b", buffering=0) as disk:
                disk.seek(-4096, os.SEEK_END)
                disk.write(b"later" * 100)
                os.fsync(disk.fileno())
            eventually(lambda: both.alpha.peer("beta", "disk")["lag_seconds"] > 0.5)
            assert 75 == both.alpha.run("wait", "disk", "--timeout", "1").returncode
            must_be("degraded: it does not stand still", both, _lags("degraded"), is_state("degraded"))
        finally:
            run("fsfreeze", "--unfreeze", str(where))


def test_behind() -> None:
    """More is written than can be committed so often with so short a freeze."""
    terms = UNBRAKED + QUICK.replace('"1s"', '"100ms"\nfreeze = "1s"')
    with device_pair(64 * MIB, extra=terms) as both:
        where = _mounted(both)
        with _Overwriting(where / "film"):
            must_be("behind: a device", both, is_state("behind"), is_state("behind"))


@needs_fuse
def test_degraded(tmpfs_dir: Path) -> None:
    """A place of the primary's disk cannot be read."""
    image = sparse(tmpfs_dir / "below", 16 * MIB)
    image.write_bytes(os.urandom(16 * MIB))
    with failing_disk(tmpfs_dir, image) as disk, device_pair(image=Path(disk.device), extra=_SELDOM) as both:
        _equal(both)
        disk.fails((3 * MIB, 3 * MIB + 65_536))
        both.alpha.json("reconcile", "disk")
        must_be("degraded: a bad place", both, _heard("degraded", 1), _heard("degraded", 2))


@needs_tracepoints
def test_untracked() -> None:
    """Another process reads the agent's trace instance: nothing else is told, and what is written comes all the same."""
    with device_pair(16 << 20) as both:
        both.alpha.state.mkdir(exist_ok=True)
        instance = tracefs_place() / "instances" / instance_name(both.alpha.state, "disk")
        instance.mkdir()
        ring = os.open(instance / "per_cpu/cpu0/trace_pipe_raw", os.O_RDONLY | os.O_NONBLOCK)
        try:
            with both.source.open("r+b") as device:
                device.write(b"first")
            both.start()
            both.equal()
            must_be("untracked", both, is_state("untracked"), is_state("untracked"))
            with both.source.open("r+b") as device:
                device.write(b"later")
            both.equal()
        finally:
            os.close(ring)
            both.alpha.kill()
            instance.rmdir()
