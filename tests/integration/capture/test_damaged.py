"""Files and directories of which a filesystem says that they are damaged."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fakes.capture_fakes import station
from fakes.loop_image import can_mount, make_image, mounted, run

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not can_mount() or shutil.which("debugfs") is None, reason="takes root, loop devices, debugfs"
)


def test_a_damaged_inode_is_named_with_what_is_the_matter(tmpfs_dir: Path) -> None:
    """A file, a large one, and a directory that is known with what is below it: all else goes on, and what was known stays."""
    image, state = tmpfs_dir / "image", tmpfs_dir / "state"
    make_image(image, 128)
    damaged = ("file", "large", "directory")
    with mounted(image, tmpfs_dir / "at") as root:
        (root / "file").write_bytes(b"1")
        (root / "large").write_bytes(bytes(range(256)) * (70 << 10))
        (root / "directory").mkdir()
        (root / "directory" / "below").write_bytes(b"1")
        inodes = [(root / name).stat().st_ino for name in damaged]
        with station(root, state) as first:
            first.synced()
    for inode in inodes:
        run("debugfs", "-w", "-R", f"clri <{inode}>", str(image))
    with mounted(image, tmpfs_dir / "at") as root, station(root, state, first.outlet) as second:
        second.synced()
        (root / "new").write_bytes(b"1")
        second.hint(b"new", *(name.encode() for name in damaged))
        said = {problem.path: problem.message for problem in second.board.listed()[0]}
        assert set(map(str.encode, damaged)) == {path for code, path in second.problems() if code == "unreadable"}
        assert [True] * 3 == ["Structure needs cleaning" in said[name.encode()] for name in damaged]
        assert [True] * 3 == [second.id_of(path) is not None for path in (b"new", b"large", b"directory/below")]
