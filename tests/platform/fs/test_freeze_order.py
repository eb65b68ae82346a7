"""In what order the filesystems of a group are frozen: each once, and what lies in files of another before that one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from agent.capture.access.freeze_order import in_freeze_order
from agent.fs.thaw_guard import FreezeRoot, ThawGuard
from fakes.loop_device import attached, sparse
from fakes.loop_image import MAKERS, can_mount, filesystem, mounted, run

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs root and loop devices")
SIZE = 64 << 20


@contextmanager
def opened(*places: Path) -> Iterator[list[FreezeRoot]]:
    """Their directories, as they are frozen."""
    with ExitStack() as stack:
        roots = []
        for place in places:
            fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, fd)
            roots.append((fd, str(place)))
        yield roots


def test_what_lies_in_a_file_of_another_comes_before_it(tmpfs_dir: Path, tmp_path: Path) -> None:
    """However deep each is mounted, also through two loop devices; frozen so, none of the freezes waits for another."""
    (tmpfs_dir / "deep" / "below").mkdir(parents=True)
    with ExitStack() as stack:
        lower = stack.enter_context(filesystem("ext4", tmpfs_dir / "deep" / "below"))
        below = stack.enter_context(attached(sparse(lower / "disk.img", SIZE)))
        run(*MAKERS["ext4"], below)
        upper = stack.enter_context(mounted(Path(below), tmpfs_dir / "at"))
        (upper / "file").write_text("dirty")
        roots = stack.enter_context(opened(lower, upper))
        guard = ThawGuard(tmp_path)
        stack.callback(guard.close)
        found = in_freeze_order(roots)
        with guard.all_frozen(found, 60.0):
            pass
        assert [str(upper), str(lower)] == [path for _, path in found]


@pytest.mark.parametrize("kind", ["ext4", "btrfs"])
def test_one_filesystem_is_frozen_once(kind: str, tmpfs_dir: Path) -> None:
    """By whichever of its directories, mounts and subvolumes it is known."""
    with filesystem(kind, tmpfs_dir) as root, ExitStack() as stack:
        places = [root, root / "one", root / "other"]
        for place in places[1:]:
            if kind == "btrfs":
                run("btrfs", "-q", "subvolume", "create", str(place))
            else:
                place.mkdir()
        again = tmpfs_dir / "again"
        again.mkdir()
        run("mount", "--bind", str(root / "one"), str(again))
        stack.callback(run, "umount", str(again))
        roots = stack.enter_context(opened(*places, again))
        assert [roots[0]] == in_freeze_order(roots)


def test_the_deepest_comes_first(tmpfs_dir: Path) -> None:
    """Where none lies in another's files."""
    (tmpfs_dir / "a").mkdir()
    (tmpfs_dir / "b" / "c").mkdir(parents=True)
    with (
        filesystem("ext4", tmpfs_dir / "a") as high,
        filesystem("ext4", tmpfs_dir / "b" / "c") as deep,
        opened(high, deep, Path("/")) as roots,
    ):
        assert [str(deep), str(high), "/"] == [path for _, path in in_freeze_order(roots)]
