"""Names in a directory."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from agent.fs import confined, walk

NAMES = [b"\n", b".hikae", b".hidden", b"A", b"a", b"a b", b"z", b"\xc3\xa9", b"\xff"]


def test_names_as_sorted_bytes(tmp_path: Path) -> None:
    """All names, in the order of their bytes, as often as asked; `.` and `..` are none."""
    fd = confined.open_root(str(tmp_path))
    for name in NAMES:
        os.close(confined.create_file(fd, name))

    assert sorted(NAMES) == list(walk.entries(fd)) == list(walk.entries(fd))
    assert (False, len(NAMES)) == (walk.is_empty(fd), walk.count(fd))
    os.close(fd)


def test_an_empty_and_a_removed_directory(tmp_path: Path) -> None:
    """An empty directory has no names; one that was removed while open neither."""
    (tmp_path / "d").mkdir()
    fd = confined.open_root(str(tmp_path / "d"))
    assert [] == list(walk.entries(fd))
    assert (True, 0) == (walk.is_empty(fd), walk.count(fd))
    (tmp_path / "d").rmdir()

    assert [] == list(walk.entries(fd))
    assert walk.is_empty(fd)
    os.close(fd)


def test_what_is_no_directory(tmp_path: Path) -> None:
    """A file has no entries: NotADirectoryError."""
    (tmp_path / "f").touch()
    fd = os.open(tmp_path / "f", os.O_RDONLY)

    with pytest.raises(NotADirectoryError):
        next(walk.entries(fd))
    os.close(fd)


@pytest.mark.parametrize("in_memory", [0, walk.IN_MEMORY])
def test_more_names_than_are_held(tmpfs_dir: Path, rng: random.Random, in_memory: int) -> None:
    """Names beyond one run are merged from what was put aside: all of them, each once, in order, and no file stays."""
    scratch = tmpfs_dir / "scratch"
    scratch.mkdir()
    (tmpfs_dir / "many").mkdir()
    fd = confined.open_root(str(tmpfs_dir / "many"))
    made = {rng.randbytes(rng.choice([2, 4, 30, 120])).hex().encode() for _ in range(1001)}
    for name in made:
        os.close(confined.create_file(fd, name))

    with walk.Listing(fd, str(scratch), run=10, in_memory=in_memory) as listing:
        steps = sum(1 for _ in listing.gather())
        pages = list(listing.pages())

    assert len(made) // 10 == steps
    assert sorted(made) == [name for page in pages for name in page]
    assert [] == list(scratch.iterdir())
    os.close(fd)


def test_a_page_of_a_merge_is_a_part(tmpfs_dir: Path) -> None:
    """Blocks of many long runs are merged one after the other, not all at once."""
    fd = confined.open_root(str(tmpfs_dir))
    names = [b"%0240d" % number for number in range(5000)]
    for name in reversed(names):
        os.close(confined.create_file(fd, name))

    with walk.Listing(fd, run=1250) as listing:
        pages = list(listing.pages())

    assert names == [name for page in pages for name in page]
    assert max(map(len, pages)) * 240 < 1 << 20
    os.close(fd)


def test_exactly_as_many_names_as_a_run(tmpfs_dir: Path) -> None:
    """The last run may be an empty one."""
    fd = confined.open_root(str(tmpfs_dir))
    names = [b"%05d" % number for number in range(100)]
    for name in reversed(names):
        os.close(confined.create_file(fd, name))

    with walk.Listing(fd, run=100) as listing:
        assert names == list(listing.names())
    os.close(fd)


def test_a_directory_that_changes_while_its_names_are_used(tmpfs_dir: Path) -> None:
    """Names are read before the first is given: what is done to them does not change which are given."""
    fd = confined.open_root(str(tmpfs_dir))
    names = [b"%05d" % number for number in range(500)]
    for name in names:
        os.close(confined.create_file(fd, name))

    given = []
    with walk.Listing(fd, run=10) as listing:
        for name in listing.names():
            given.append(name)
            confined.rename(fd, name, fd, b"x" + name, replace=False)

    assert names == given
    os.close(fd)
