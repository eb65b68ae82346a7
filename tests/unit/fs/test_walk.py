"""Names in a directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.fs import confined, walk

NAMES = [b"\n", b".hikae", b".hidden", b"A", b"a", b"a b", b"z", b"\xc3\xa9", b"\xff"]


def test_names_as_sorted_bytes(tmp_path: Path) -> None:
    """All names, in the order of their bytes, as often as asked; `.` and `..` are none."""
    fd = confined.open_root(str(tmp_path))
    for name in NAMES:
        os.close(confined.create_file(fd, name))

    assert sorted(NAMES) == walk.entries(fd) == walk.entries(fd)
    os.close(fd)


def test_an_empty_and_a_removed_directory(tmp_path: Path) -> None:
    """An empty directory has no names; one that was removed while open neither."""
    (tmp_path / "d").mkdir()
    fd = confined.open_root(str(tmp_path / "d"))
    assert [] == walk.entries(fd)
    (tmp_path / "d").rmdir()

    assert [] == walk.entries(fd)
    os.close(fd)


def test_what_is_no_directory(tmp_path: Path) -> None:
    """A file has no entries: NotADirectoryError."""
    (tmp_path / "f").touch()
    fd = os.open(tmp_path / "f", os.O_RDONLY)

    with pytest.raises(NotADirectoryError):
        walk.entries(fd)
    os.close(fd)
