"""A tree is removed whatever is in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.roles.rehearsal.clearing import remove_tree


def _deep(top: Path, depth: int) -> None:
    held = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=held)
        os.close(os.open("d/f", os.O_CREAT | os.O_WRONLY, dir_fd=held))
        inner = os.open("d", os.O_RDONLY, dir_fd=held)
        os.close(held)
        held = inner
    os.close(held)


def test_any_depth_and_breadth(tmp_path: Path) -> None:
    """Deeper than any walk that calls itself, and wider than one listing; numbers for names are nobody's."""
    top = tmp_path / "top"
    for name in ("0", "1", "wide"):
        (top / name).mkdir(parents=True)
    _deep(top, 3_000)
    for number in range(3_000):
        (top / "wide" / str(number)).touch()
    remove_tree(str(top))
    assert [] == list(tmp_path.iterdir())


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """What they point at stays, and so does what a top that is a link points at."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "f").touch()
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "other").symlink_to(tmp_path / "kept")
    remove_tree(str(tmp_path / "top"))
    with pytest.raises(OSError, match="other"):
        remove_tree(str(tmp_path / "other"))
    assert ["kept", "other"] == sorted(path.name for path in tmp_path.iterdir())
    assert (tmp_path / "kept" / "f").exists()


def test_what_is_left_in_the_middle_is_removed_by_the_next(tmp_path: Path) -> None:
    """A directory that a crash left holds what was moved there."""
    top = tmp_path / "top"
    (top / "hikae-gone-0123456789abcdef" / "0" / "inner").mkdir(parents=True)
    remove_tree(str(top))
    assert not top.exists()
