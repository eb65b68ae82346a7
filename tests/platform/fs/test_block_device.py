"""Who uses a block device, as the kernel has it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.core.errors import NotFound, NotPermitted, Refused
from agent.fs.block_device import BlockPlaces, device_length, is_block_device, open_claimed, standing_on
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import run

pytestmark = needs_loops
_SIZE = 16 << 20


def test_a_free_device_is_claimed_once(tmpfs_dir: Path) -> None:
    """Its length is told; whoever claims it too is refused, until it is let go of."""
    with attached(sparse(tmpfs_dir / "image", _SIZE)) as device:
        fd = open_claimed(device, "try it")
        try:
            assert (True, _SIZE) == (is_block_device(device), device_length(fd))
            with pytest.raises(Refused, match="it is in use: a program holds it"):
                open_claimed(device, "try it")
        finally:
            os.close(fd)
        os.close(open_claimed(device, "try it"))


def test_what_is_mounted_is_refused_with_where(tmpfs_dir: Path) -> None:
    """A filesystem on it, read-only too; and one on its partition."""
    image, where = sparse(tmpfs_dir / "image", 2 * _SIZE), tmpfs_dir / "at"
    where.mkdir()
    run("mkfs.ext4", "-q", "-F", str(image))
    with attached(image) as device:
        run("mount", "-o", "ro,noload", device, str(where))
        try:
            with pytest.raises(Refused, match=f"{device} is mounted at {where}"):
                open_claimed(device, "try it")
        finally:
            run("umount", str(where))


def test_what_a_loop_device_stands_on_is_refused(tmpfs_dir: Path) -> None:
    """That claims nothing by itself: a loop device on a loop device, and on a file."""
    image = sparse(tmpfs_dir / "image", _SIZE)
    with attached(image) as device, attached(Path(device)) as upper:
        with pytest.raises(Refused, match=f"{upper} stands on it"):
            open_claimed(device, "try it")
        assert f"{device} stands on it (losetup -d {device} takes that away)" == standing_on(str(image), BlockPlaces())
    assert standing_on(str(image), BlockPlaces()) == ""


def test_swapped_to(tmpfs_dir: Path) -> None:
    """By what the kernel lists."""
    swaps = tmpfs_dir / "swaps"
    with attached(sparse(tmpfs_dir / "image", _SIZE)) as device:
        swaps.write_text(f"Filename Type Size Used Priority\n{device} partition 1 0 -2\n")
        fd = open_claimed(device, "try it")
        try:
            with pytest.raises(Refused, match=f"the system swaps to {device}"):
                open_claimed(device, "try it", BlockPlaces(swaps=swaps))
        finally:
            os.close(fd)


def test_what_is_no_device_or_read_only(tmpfs_dir: Path) -> None:
    """Each with a sentence of its own."""
    with pytest.raises(NotFound, match="no such device"):
        open_claimed(str(tmpfs_dir / "none"), "try it")
    with (
        attached(sparse(tmpfs_dir / "image", _SIZE), "--read-only") as device,
        pytest.raises(NotPermitted, match="setrw"),
    ):
        open_claimed(device, "try it")
