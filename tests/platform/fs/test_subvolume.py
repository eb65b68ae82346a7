"""Snapshots on a real btrfs: what they hold, how their objects are told from those of the tree, and what refuses one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.output.directory import Handling, open_output
from agent.apply.ports import NothingAdopted
from agent.core.errors import HikaeError
from agent.fs.confined import open_root
from agent.fs.handles import handle_of_fd
from agent.fs.snapshots.subvolume import (
    ANOTHER_SUBVOLUME,
    CannotSnapshot,
    drop_left_moment,
    drop_snapshot,
    handle_in,
    make_snapshot,
    subvolume_around,
    subvolume_of,
)
from fakes.loop_image import can_mount, filesystem, run

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not can_mount() or shutil.which("mkfs.btrfs") is None, reason="needs root, loop devices, btrfs"
)


@pytest.fixture
def disk(tmpfs_dir: Path) -> Iterator[Path]:
    """A btrfs."""
    with filesystem("btrfs", tmpfs_dir) as where:
        yield where


def refusal(path: Path) -> str:
    """Why no snapshot can be had of a directory."""
    fd = open_root(str(path))
    try:
        with pytest.raises(HikaeError) as caught:
            os.close(subvolume_around(fd, str(path)))
    finally:
        os.close(fd)
    assert isinstance(caught.value, CannotSnapshot)
    return caught.value.reason


def test_a_snapshot(disk: Path) -> None:
    """It holds what stood there, under handles that differ by the subvolume's number; another subvolume below it is a mere
    directory; dropped it is gone, twice too."""
    tree = disk / "tree"
    run("btrfs", "subvolume", "create", str(tree))
    run("btrfs", "subvolume", "create", str(tree / "inner"))
    (tree / "below").mkdir()
    (tree / "below" / "file").write_text("then")
    below, top = open_root(str(tree / "below")), open_root(str(disk))
    subvolume = subvolume_around(below, "web")
    make_snapshot(subvolume, top, b"kept", "web")
    (tree / "below" / "file").write_text("now")
    kept = open_root(str(disk / "kept" / "below"))
    live, own = subvolume_of(handle_of_fd(below)), subvolume_of(handle_of_fd(kept))
    assert ("then", ANOTHER_SUBVOLUME) == (
        (disk / "kept" / "below" / "file").read_text(),
        (disk / "kept" / "inner").stat().st_ino,
    )
    assert live is not None
    assert own is not None
    assert live != own
    assert (handle_of_fd(kept), handle_of_fd(below)) == (
        handle_in(own, handle_of_fd(below)),
        handle_in(live, handle_of_fd(kept)),
    )
    for fd in (below, subvolume, kept):
        os.close(fd)
    for _ in range(2):
        drop_snapshot(top, b"kept")
        assert ["tree"] == os.listdir(top)
    os.close(top)


def test_what_was_left(disk: Path) -> None:
    """What an agent left that was killed is dropped when the root is opened next; a directory of that name stays."""
    (disk / ".hikae").mkdir(mode=0o700)
    run("btrfs", "subvolume", "snapshot", "-r", str(disk), str(disk / ".hikae" / "moment"))
    root = open_root(str(disk))
    drop_left_moment(root)
    assert [] == os.listdir(disk / ".hikae")
    (disk / ".hikae" / "moment").mkdir()
    drop_left_moment(root)
    os.close(root)
    assert ["moment"] == os.listdir(disk / ".hikae")


def test_what_was_left_on_a_standby(disk: Path) -> None:
    """A node that was killed while it read a snapshot, and is a standby now, drops it when it opens its tree to write into."""
    (disk / ".hikae").mkdir(mode=0o700)
    run("btrfs", "subvolume", "snapshot", "-r", str(disk), str(disk / ".hikae" / "moment"))
    handling = Handling("the standby", lambda _: None, NothingAdopted(), None)
    open_output(str(disk), open_root(str(disk)), handling).close()
    assert "moment" not in os.listdir(disk / ".hikae")


def test_no_snapshot(disk: Path, tmp_path: Path) -> None:
    """Another filesystem has none; of a subvolume that is mounted in part none is made."""
    (disk / "part").mkdir()
    (tmp_path / "at").mkdir()
    run("mount", "--bind", str(disk / "part"), str(tmp_path / "at"))
    try:
        told = refusal(Path("/dev/shm")), refusal(tmp_path / "at")
    finally:
        run("umount", str(tmp_path / "at"))
    assert ("it does not stand on btrfs", "only a part of its subvolume is mounted there") == told
