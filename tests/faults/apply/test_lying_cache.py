"""A write that failed behind our back: the kernel's cache still holds what the disk does not, and no later sync says so."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.apply.results import RootFailed, silent
from agent.core.ids import ROOT
from fakes.apply_fakes import Rig, Tree, rig
from fakes.loop_image import can_mount, make_image, mounted

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="takes root and loop devices")

MIB = 1 << 20


@pytest.fixture
def on_a_disk(tmpfs_dir: Path) -> Iterator[tuple[Rig, Path]]:
    """A rig whose standby lies on a filesystem in an image, and the image."""
    image = tmpfs_dir / "disk.img"
    make_image(image, 48)
    with mounted(image, tmpfs_dir / "disk") as disk, rig(tmpfs_dir / "rig") as it:
        it.root = disk / "standby"
        yield it, image


def lose(image: Path, written: bytes) -> None:
    """What was written never came to the disk."""
    os.sync()
    with image.open("r+b") as file:
        at = file.read().find(written)
        assert at >= 0
        file.seek(at)
        file.write(bytes(len(written)))


def on_disk(path: Path) -> bytes:
    """The file as the disk has it."""
    with path.open("rb") as file:
        os.fdatasync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()


@contextmanager
def unsyncable(fd: int) -> Iterator[None]:
    """The descriptor is one that ``syncfs`` refuses, as it does that of a disk that fails."""
    saved, other = os.dup(fd), os.open(os.devnull, os.O_PATH)
    os.dup2(other, fd)
    os.close(other)
    try:
        yield
    finally:
        os.dup2(saved, fd)
        os.close(saved)


@pytest.mark.parametrize("size", [4096, 3 * MIB])
def test_a_redo_reads_from_the_disk(on_a_disk: tuple[Rig, Path], rng: random.Random, size: int) -> None:
    """What was written since the checkpoint is written again where the disk does not have it, however right the cache looks."""
    it, image = on_a_disk
    written = rng.randbytes(size)
    tree = Tree.empty(it.store)
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    applier.checkpoint()
    tree.file(ROOT, b"victim", *(written[at : at + MIB] for at in range(0, size, MIB)))
    applier.converge(it.commit(tree), silent)
    it.dies(applier)
    lose(image, written[:4096])
    assert written == (it.root / "victim").read_bytes()
    newest = it.catalog.newest()
    assert newest is not None
    again = it.applier()
    assert 0 == again.converge(newest, silent).failed
    again.checkpoint()
    assert written == on_disk(it.root / "victim")


def test_a_failed_sync_of_the_standby_is_a_redo(on_a_disk: tuple[Rig, Path], rng: random.Random) -> None:
    """The checkpoint stays where it was, and what came since is made again before it moves."""
    it, image = on_a_disk
    written = rng.randbytes(8192)
    tree = Tree.empty(it.store)
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    applier.checkpoint()
    before = applier.applied
    tree.file(ROOT, b"victim", written)
    newest = it.commit(tree)
    applier.converge(newest, silent)
    lose(image, written[:4096])
    with unsyncable(applier._standby.open().root), pytest.raises(RootFailed):
        applier.checkpoint()
    assert (before, True) == (applier.applied, applier.redoes)
    applier.converge(newest, silent)
    applier.checkpoint()
    assert (newest.number, written) == (applier.checkpointed_at, on_disk(it.root / "victim"))
