"""Agents on a filesystem that was left frozen: their start thaws it, also where their own state stands on it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from agent.fs.freezing import FIFREEZE
from agent.fs.thaw_guard import MARK
from fakes.agents import pair
from fakes.loop_image import can_mount, filesystem

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs root and loop devices")


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_start_thaws_what_was_left_frozen(tmpfs_dir: Path, kind: str) -> None:
    """An agent and its guard were killed while the filesystem of state and tree stood still: the next start thaws it, and goes
    on."""
    with filesystem(kind, tmpfs_dir) as disk, pair(source=disk / "source", states={"alpha": disk / "state"}) as both:
        (both.source / "first").write_text("1")
        both.begin()
        both.alpha.kill()
        fd = os.open(disk, os.O_RDONLY | os.O_DIRECTORY)
        mark = both.alpha.socket.parent / MARK
        mark.write_text(f'{{"path": "{disk}", "device": {os.fstat(fd).st_dev}, "guard": 1, "started": "another"}}')
        fcntl.ioctl(fd, FIFREEZE, 0)
        os.close(fd)
        both.alpha.start()
        both.alpha.up()
        (both.source / "second").write_text("2")
        both.mirror()
        assert not mark.exists()
        both.stop()
