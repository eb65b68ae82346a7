"""``hikae mount`` of a device with the real libfuse: images are read, stood on by loop devices, and written over."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.core.chunks import DEVICE_CHUNK
from fakes.agents import REPOSITORY
from fakes.eventually import eventually
from fakes.fuse import needs_fuse
from fakes.kept_device import KeptDeviceNode, some_image
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import run

pytestmark = [needs_loops, needs_fuse]
_SIZE = 48 << 20


@pytest.fixture
def node(tmpfs_dir: Path) -> Iterator[KeptDeviceNode]:
    """Nothing is kept yet."""
    made = KeptDeviceNode.make(tmpfs_dir)
    with made.kept:
        yield made


@contextmanager
def mounted(node: KeptDeviceNode, *more: str) -> Iterator[Path]:
    """The history while a block runs; nothing stays mounted."""
    where = node.config.parent / "history"
    where.mkdir(exist_ok=True)
    words = [sys.executable, "-m", "agent.cli.main", "--config", str(node.config), "mount", "vm", str(where), *more]
    with subprocess.Popen(words, cwd=REPOSITORY, stdin=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: os.path.ismount(where) or process.poll() is not None, within=120)
            assert process.poll() is None
            yield where
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@contextmanager
def at_directory(device: str, where: Path, *options: str) -> Iterator[Path]:
    """A filesystem on a device at a directory."""
    where.mkdir(exist_ok=True)
    run("mount", *options, device, str(where))
    try:
        yield where
    finally:
        run("umount", str(where))


def _with_file(directory: Path, text: str) -> bytes:
    """An ext4 filesystem that was cut off while it had a file of this text: its journal is not empty."""
    image = sparse(directory / "source.img", _SIZE)
    run("mkfs.ext4", "-q", "-F", str(image))
    with attached(image) as device, at_directory(device, directory / "source") as source:
        (source / "file").write_text(text)
        run("sync", "-f", str(source))
        return image.read_bytes()


def test_each_moment_is_an_image(node: KeptDeviceNode, rng: random.Random) -> None:
    """By generation, label and latest; of its length, sparse, closed to others, and bit for bit what the device held."""
    images = [some_image(rng.randbytes(200_000), place, size=5 * DEVICE_CHUNK + 512) for place in (0, 100_000)]
    for label, image in zip(("first", "second"), images, strict=True):
        node.generation(label, image)
    with mounted(node) as where:
        names = sorted(os.listdir(where))
        found = where / "first" / "vm.img"
        st = found.stat()
        assert ["at", "latest"] == names[2:]
        assert (len(images[0]), 0o400, True) == (st.st_size, st.st_mode & 0o777, st.st_blocks * 512 < st.st_size)
        assert images == [found.read_bytes(), (where / "latest" / "vm.img").read_bytes()]
        assert [b"vm.img"] == os.listdir(os.fsencode(where / "second"))
        with pytest.raises(OSError, match="Read-only"):
            found.open("r+b")
    with mounted(node, "--generation", "first") as where:
        assert images[0] == (where / "vm.img").read_bytes()


def test_a_filesystem_is_read_through_a_loop_device(node: KeptDeviceNode) -> None:
    """Read-only and without its journal; nothing of the moment changes."""
    image = _with_file(node.config.parent, "as it was")
    node.generation("first", image)
    with mounted(node) as where:
        shown = where / "first" / "vm.img"
        with (
            attached(shown, "--read-only") as device,
            at_directory(device, node.config.parent / "at", "-o", "ro,noload") as at,
        ):
            assert "as it was" == (at / "file").read_text()
        assert image == shown.read_bytes()


def test_a_writable_image_is_mounted_as_any_disk(node: KeptDeviceNode) -> None:
    """The journal is played, files are written and read back, its own check is clean; the moment stays."""
    image = _with_file(node.config.parent, "as it was")
    node.generation("first", image)
    with mounted(node, "--writable") as where:
        shown = where / "first" / "vm.img"
        with attached(shown) as device:
            with at_directory(device, node.config.parent / "at") as at:
                assert "as it was" == (at / "file").read_text()
                (at / "file").write_text("changed")
            with at_directory(device, node.config.parent / "at") as at:
                assert "changed" == (at / "file").read_text()
            run("e2fsck", "-f", "-n", device)
    with mounted(node) as where:
        assert image == (where / "first" / "vm.img").read_bytes()
