"""A standby of a device equals exactly one commit, or is redone: killed at any step, cut from power, put back."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.results import silent
from agent.core.chunks import DEVICE_CHUNK
from agent.store.local import Local
from fakes.apply_fakes import Crash
from fakes.device_standby import DeviceStandby, device_standby, scattered


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[DeviceStandby]:
    """A device of which nothing came yet."""
    with device_standby(tmpfs_dir / "it") as made:
        yield made


def _dying(after: int) -> object:
    left = [after]

    def step(_what: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Crash

    return step


@pytest.mark.parametrize("seed", range(10))
def test_killed_at_any_step_it_equals_the_newest_commit_afterwards(it: DeviceStandby, seed: int) -> None:
    """The process dies within an apply, again and again, while commits come; the next one makes it equal."""
    rng = random.Random(seed)
    image = rng.randbytes(400_000)
    newest = it.put(image)
    for _ in range(12):
        image = scattered(rng, image)
        newest = it.put(image)
        applier = it.applier(_dying(rng.randrange(6)))  # type: ignore[arg-type]
        try:
            applier.converge(newest, silent)
            if rng.random() < 0.5:
                applier.checkpoint()
        except Crash:
            pass
        it.dies()
    it.applier().converge(newest, silent)
    assert it.content() == image


@pytest.mark.parametrize("seed", range(6))
def test_what_is_known_is_put_back_by_a_power_cut(it: DeviceStandby, tmpfs_dir: Path, seed: int) -> None:
    """Local facts of the last checkpoint beside an image that went on: what changed since is redone."""
    rng = random.Random(seed)
    image = rng.randbytes(300_000)
    applier = it.applier()
    applier.converge(newest := it.put(image), silent)
    applier.checkpoint()
    it.local.close()
    shutil.copy(it.base / "local.db", tmpfs_dir / "local.cut")
    it.local = Local.open(str(it.base / "local.db"))
    it.dies()
    applier = it.applier()
    for _ in range(3):
        image = scattered(rng, image)
        applier.converge(newest := it.put(image), silent)
    it.dies()
    it.local.close()
    shutil.copy(tmpfs_dir / "local.cut", it.base / "local.db")
    it.local = Local.open(str(it.base / "local.db"))
    it.applier().converge(newest, silent)
    assert it.content() == image


def test_facts_that_are_lost_cost_a_comparison_and_no_question(it: DeviceStandby) -> None:
    """The mark beside the image says whose it is."""
    image = random.Random(1).randbytes(300_000)
    applier = it.applier()
    newest = it.put(image)
    applier.converge(newest, silent)
    applier.close()
    it.local.close()
    (it.base / "local.db").unlink()
    it.local = Local.open(str(it.base / "local.db"))
    again = it.applier()
    done = again.converge(newest, silent)
    assert (done.bytes, done.redo, it.content()) == (0, True, image)


def test_an_image_that_was_put_back_is_compared_whole(it: DeviceStandby) -> None:
    """An older copy of image and mark in the same file: nothing is believed."""
    rng = random.Random(5)
    first = rng.randbytes(300_000)
    applier = it.applier()
    applier.converge(it.put(first), silent)
    applier.close()
    token = it.base / "vm.img.hikae" / "token"
    old = it.path.read_bytes(), token.read_bytes()
    second = rng.randbytes(300_000)
    applier = it.applier()
    applier.converge(newest := it.put(second), silent)
    applier.close()
    it.path.write_bytes(old[0])
    token.write_bytes(old[1])
    again = it.applier()
    again.prepare()
    assert again.redoes
    again.converge(newest, silent)
    assert it.content() == second


def test_what_a_stranger_mounted_meanwhile_is_compared_whole(it: DeviceStandby) -> None:
    """Between two processes the beginning was written, as by a mount: nothing is believed, and it is made equal."""
    image = random.Random(6).randbytes(100 * DEVICE_CHUNK)
    applier = it.applier()
    applier.converge(newest := it.put(image), silent)
    applier.close()
    with it.path.open("r+b") as file:
        file.seek(1080)
        file.write(b"mounted")
        file.seek(77 * DEVICE_CHUNK + 5)
        file.write(b"written")
    again = it.applier()
    again.prepare()
    assert again.redoes
    again.converge(newest, silent)
    assert it.content() == image
