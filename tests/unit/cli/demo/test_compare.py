"""The comparer of the demonstration finds every kind of difference, and nothing else."""

from __future__ import annotations

import os
import random
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.cli.demo.compare import compare_trees
from agent.cli.demo.tree import burst, live_edits, measure


def _make(root: Path) -> None:
    (root / "d").mkdir(parents=True)
    (root / "d" / "file").write_bytes(b"content")
    (root / "one").write_text("linked")
    os.link(root / "one", root / "d" / "two")
    (root / "other").write_text("linked")
    (root / "link").symlink_to("one")
    os.mkfifo(root / "pipe")
    for path in (root / "d" / "file", root / "one", root / "other", root / "pipe", root / "d", root):
        os.utime(path, ns=(1_000_000_001, 1_000_000_001))
    os.utime(root / "link", ns=(5, 5), follow_symlinks=False)


@pytest.fixture
def pair(tmpfs_dir: Path) -> tuple[Path, Path]:
    """Two trees that are equal."""
    trees = tmpfs_dir / "a", tmpfs_dir / "b"
    for tree in trees:
        _make(tree)
    return trees


def _keep_mtime(path: Path, change: Callable[[Path], object]) -> None:
    before = path.stat().st_mtime_ns
    change(path)
    os.utime(path, ns=(before, before))


def test_equal_trees(pair: tuple[Path, Path]) -> None:
    """Equal trees have no differences; our own directory and sockets do not count."""
    (pair[1] / ".hikae").mkdir()
    (pair[1] / ".hikae" / "x").touch()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(pair[0] / "socket"))
    for root in pair:
        os.utime(root, ns=(7, 7))
    assert [] == compare_trees(str(pair[0]), str(pair[1]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda r: _keep_mtime(r / "d/file", lambda p: p.write_bytes(b"CONTENT")), ["d/file: content"]),
        (lambda r: (r / "d/file").chmod(0o700), ["d/file: mode"]),
        (lambda r: os.utime(r / "d/file", ns=(1, 1_000_000_002)), ["d/file: mtime"]),
        (lambda r: _keep_mtime(r / "d/file", lambda p: os.truncate(p, 3)), ["d/file: size, content"]),
        (lambda r: _keep_mtime(r, lambda p: (p / "pipe").unlink()), ["pipe: missing on the standby"]),
        (lambda r: _keep_mtime(r, lambda p: os.mkfifo(p / "a\x1b")), ["a\\x1b: only on the standby"]),
        (lambda r: os.setxattr(r / "d/file", "user.x", b"1"), ["d/file: xattrs"]),
    ],
)
def test_each_difference_is_named(
    pair: tuple[Path, Path], change: Callable[[Path], object], expected: list[str]
) -> None:
    """One change gives one line with what differs."""
    change(pair[1])
    assert expected == compare_trees(str(pair[0]), str(pair[1]))


def test_a_broken_hard_link_is_named(pair: tuple[Path, Path]) -> None:
    """Two files with equal content are not one file with two names."""
    two = pair[1] / "d" / "two"

    def replace(directory: Path) -> None:
        two.unlink()
        shutil.copy2(pair[1] / "one", directory / "two")

    _keep_mtime(two.parent, replace)
    assert ["d/two: links", "one: links"] == compare_trees(str(pair[0]), str(pair[1]))


def test_a_changed_target_is_named(pair: tuple[Path, Path]) -> None:
    """Where a symlink leads counts."""

    def replace(root: Path) -> None:
        (root / "link").unlink()
        (root / "link").symlink_to("two")
        os.utime(root / "link", ns=(5, 5), follow_symlinks=False)

    _keep_mtime(pair[1], replace)
    assert ["link: content"] == compare_trees(str(pair[0]), str(pair[1]))


def test_live_edits_and_bursts(tmpfs_dir: Path) -> None:
    """Each step of the generators has changed something when the next is asked for."""
    chance = random.Random(1)
    directory = tmpfs_dir / "shop-0" / "orders-00"
    directory.mkdir(parents=True)
    for number in range(3):
        (directory / f"{number}.txt").write_text("old")
    seen = set()
    for _ in live_edits(tmpfs_dir, chance, 10):
        seen.add(tuple(sorted((p.name, p.stat().st_mode, p.read_bytes()) for p in directory.iterdir())))
    assert 8 <= len(seen)
    assert [1, 2, 3] == list(burst(tmpfs_dir / "burst", chance, 3))
    assert 3 == measure(str(tmpfs_dir / "burst")).entries
    assert stat.S_ISDIR((tmpfs_dir / "burst").stat().st_mode)
