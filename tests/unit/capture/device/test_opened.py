"""What stands at the path of a device that is captured."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from agent.capture.device.opened import open_device
from fakes.mounts import needs_root


def test_an_image_is_opened(tmp_path: Path) -> None:
    """By its path, with its bytes; by a link of ours too."""
    (tmp_path / "image").write_bytes(b"x" * 8192)
    (tmp_path / "link").symlink_to("image")
    device = open_device(str(tmp_path / "link"))
    assert (8192, False, True) == (device.size, device.is_block, device.stands())
    device.close()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody writes into it, ever; and a directory has no bytes."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(OSError, match="neither a block device nor a file") as caught:
            open_device(str(path))
        assert errno.ENODEV == caught.value.errno


@needs_root
def test_a_link_of_another_user_is_not_captured(tmp_path: Path) -> None:
    """He could have any file of this host read and kept."""
    (tmp_path / "secret").write_bytes(b"x" * 4096)
    (tmp_path / "image").symlink_to("secret")
    os.lchown(tmp_path / "image", 4242, 4242)
    with pytest.raises(OSError, match=r"a symbolic link of another user \(uid 4242\)") as caught:
        open_device(str(tmp_path / "image"))
    assert errno.EPERM == caught.value.errno


@needs_root
def test_a_file_among_the_devices_is_not_captured() -> None:
    """The disk is gone, and somebody wrote to its name."""
    path = Path(f"/dev/hikae-source-{os.getpid()}")
    path.write_bytes(b"x" * 4096)
    try:
        with pytest.raises(OSError, match="where the kernel shows its devices"):
            open_device(str(path))
    finally:
        path.unlink()
