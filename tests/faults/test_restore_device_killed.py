"""A restore of a device is killed, or its disk is full: it goes on when it is typed again, and nothing passes for whole
before."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.chunks import DEVICE_CHUNK
from fakes.agents import REPOSITORY
from fakes.eventually import eventually
from fakes.kept_device import KeptDeviceNode, some_image
from fakes.loop_device import attached, needs_loops, sparse
from fakes.mounts import enlarge, memory, needs_root

_SIZE = 40 << 20


@pytest.fixture
def node(tmpfs_dir: Path, rng: random.Random) -> Iterator[KeptDeviceNode]:
    """A device of which most is data that does not compress."""
    made = KeptDeviceNode.make(tmpfs_dir)
    with made.kept:
        made.generation("G", some_image(rng.randbytes(36 << 20), 3 * DEVICE_CHUNK, size=_SIZE))
        yield made


def command(node: KeptDeviceNode, to: str) -> list[str]:
    """The restore, as it is typed."""
    words = ("restore", "vm", "--generation", "G", "--to", to, "--yes")
    return [sys.executable, "-m", "agent.cli.main", "--config", str(node.config), *words]


def typed(node: KeptDeviceNode, to: str) -> subprocess.CompletedProcess[str]:
    """It runs to its end."""
    return subprocess.run(command(node, to), cwd=REPOSITORY, capture_output=True, text=True, check=False)


def killed(node: KeptDeviceNode, to: str, room_of: Path, at: int) -> None:
    """It is killed once so many bytes take room there, or has ended."""
    with subprocess.Popen(command(node, to), cwd=REPOSITORY, stderr=subprocess.DEVNULL) as process:

        def look() -> bool:
            taken = os.stat(room_of).st_blocks * 512 if room_of.exists() else 0
            return taken > at or process.poll() is not None

        eventually(look, within=60)
        process.kill()


def test_a_file_has_its_name_once_it_is_whole(node: KeptDeviceNode, tmpfs_dir: Path, rng: random.Random) -> None:
    """Killed at three moments; what there is of it is gone on with."""
    to, aside = tmpfs_dir / "vm.img", tmpfs_dir / ".vm.img.hikae-restore"
    for at in sorted(rng.randrange(30 << 20) for _ in range(3)):
        killed(node, str(to), aside, at)
        if to.exists():
            break  # It was quicker than we.
    assert (0, True) == ((done := typed(node, str(to))).returncode, not aside.exists()), done.stderr
    assert next(iter(node.kept.images.values())) == to.read_bytes()


@needs_loops
def test_a_block_device_is_gone_on_with(node: KeptDeviceNode, tmpfs_dir: Path, rng: random.Random) -> None:
    """Nobody holds it after the kill, and what was written is not written again."""
    file = sparse(tmpfs_dir / "disk", _SIZE)
    with attached(file) as device:
        killed(node, device, file, rng.randrange(20 << 20))
        done = typed(node, device)
        assert 0 == done.returncode, done.stderr
    assert next(iter(node.kept.images.values())) == file.read_bytes()


@needs_root
def test_a_disk_that_is_full(node: KeptDeviceNode, tmpfs_dir: Path) -> None:
    """A new file is refused beforehand; one that stands there is begun, and gone on with once there is room."""
    with memory(tmpfs_dir / "small", "16m") as small:
        new = typed(node, str(small / "new.img"))
        assert (3, True, []) == (new.returncode, "holes not counted" in new.stderr, os.listdir(small)), new.stderr
        to = sparse(small / "vm.img", 10)
        full = typed(node, str(to))
        assert (75, True, True) == (
            full.returncode,
            "the disk is full" in full.stderr,
            "the same command goes on where it was" in full.stderr,
        ), full.stderr
        enlarge(small, "64m")
        assert 0 == (done := typed(node, str(to))).returncode, done.stderr
        assert next(iter(node.kept.images.values())) == to.read_bytes()
