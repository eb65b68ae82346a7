"""Where a directory handle stands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.fs.handles import can_open_by_handle, handle_of, handle_of_fd
from agent.watch.handle_paths import HandlePaths


@pytest.fixture
def root_fd(tmp_path: Path) -> Iterator[int]:
    """An open root; skips where handles cannot be opened."""
    (tmp_path / "root").mkdir()
    fd = os.open(tmp_path / "root", os.O_RDONLY)
    if not can_open_by_handle(fd):
        os.close(fd)
        pytest.skip("opening by handle needs root")
    yield fd
    os.close(fd)


def handle(path: Path) -> bytes:
    """The handle of a directory."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return handle_of_fd(fd)
    finally:
        os.close(fd)


@pytest.fixture
def places(root_fd: int) -> HandlePaths[str]:
    """Places with one root, called ``web``."""
    made: HandlePaths[str] = HandlePaths()
    made.add_root("web", root_fd)
    return made


def test_inside_outside_and_private(places: HandlePaths[str], tmp_path: Path) -> None:
    """The root has an empty prefix; outside is known as such; the private directory is nowhere."""
    for name in ("root/a/b", "root/.hikae/m", "rooted", "root/a/.hikae"):
        (tmp_path / name).mkdir(parents=True)
    assert (("web", b""),) == places.of(handle(tmp_path / "root"))
    assert (("web", b"a/b/"),) == places.of(handle(tmp_path / "root/a/b"))
    assert (("web", b"a/.hikae/"),) == places.of(handle(tmp_path / "root/a/.hikae"))
    assert () == places.of(handle(tmp_path / "rooted"))
    assert () == places.of(handle(tmp_path))
    assert None is places.of(handle(tmp_path / "root/.hikae"))
    assert None is places.of(handle(tmp_path / "root/.hikae/m"))


def test_nested_roots(places: HandlePaths[str], tmp_path: Path) -> None:
    """A directory below two roots stands in both."""
    (tmp_path / "root/inner/x").mkdir(parents=True)
    inner = os.open(tmp_path / "root/inner", os.O_RDONLY)
    try:
        places.add_root("inner", inner)
        assert (("web", b"inner/x/"), ("inner", b"x/")) == places.of(handle(tmp_path / "root/inner/x"))
        places.drop_root("inner")
        assert (("web", b"inner/x/"),) == places.of(handle(tmp_path / "root/inner/x"))
    finally:
        os.close(inner)


def test_removed_directories(places: HandlePaths[str], tmp_path: Path) -> None:
    """One that was known keeps its path, as its last events may still come; one that was not stands nowhere."""
    for name in ("known", "unknown", "kept open (deleted)"):
        (tmp_path / "root" / name).mkdir()
    known, unknown = handle(tmp_path / "root/known"), handle(tmp_path / "root/unknown")
    assert (("web", b"kept open (deleted)/"),) == places.of(handle(tmp_path / "root/kept open (deleted)"))
    places.of(known)
    held = os.open(tmp_path / "root/unknown", os.O_RDONLY)
    (tmp_path / "root/known").rmdir()
    (tmp_path / "root/unknown").rmdir()
    assert (("web", b"known/"),) == places.of(known)
    assert None is places.of(unknown)
    os.close(held)
    places.forget(known)
    assert None is places.of(known)


def test_after_a_rename(places: HandlePaths[str], tmp_path: Path) -> None:
    """What was known is asked again, also when the root itself was renamed."""
    (tmp_path / "root/a/b").mkdir(parents=True)
    inner = handle(tmp_path / "root/a/b")
    assert (("web", b"a/b/"),) == places.of(inner)
    (tmp_path / "root/a").rename(tmp_path / "root/c")
    (tmp_path / "root").rename(tmp_path / "moved")
    places.clear()
    assert (("web", b"c/b/"),) == places.of(inner)


def test_bounded(root_fd: int, tmp_path: Path) -> None:
    """At most ``limit`` answers are kept."""
    places: HandlePaths[str] = HandlePaths(limit=3)
    places.add_root("web", root_fd)
    for number in range(9):
        (tmp_path / f"root/{number}").mkdir()
        places.of(handle(tmp_path / f"root/{number}"))
    assert 3 == len(places._known)


def test_paths_of_more_than_a_page(places: HandlePaths[str], root_fd: int) -> None:
    """/proc cannot tell such a path: it is found name by name."""
    names = [b"%03d" % number + b"x" * 200 for number in range(30)]
    here = os.dup(root_fd)
    for name in names:
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    deepest = handle_of_fd(here)
    os.close(here)
    assert (("web", b"/".join(names) + b"/"),) == places.of(deepest)


def test_alive(places: HandlePaths[str], tmp_path: Path) -> None:
    """An object has a name somewhere, or it is gone."""
    path = tmp_path / "file"
    path.touch()
    fd = os.open(tmp_path, os.O_RDONLY)
    of_file = handle_of(fd, b"file")
    os.close(fd)
    assert places.alive(of_file)
    path.unlink()
    assert not places.alive(of_file)
    assert not HandlePaths[str]().alive(of_file)


def test_answers_are_bounded_in_bytes(places: HandlePaths[str], tmp_path: Path) -> None:
    """Where paths are long fewer are remembered, and all are right."""
    small: HandlePaths[str] = HandlePaths(most=1000)
    fd = os.open(tmp_path / "root", os.O_RDONLY)
    try:
        small.add_root("web", fd)
        below = [tmp_path / "root" / ("d" * 200) / f"{number}" for number in range(20)]
        for one in below:
            one.mkdir(parents=True)
        asked = [handle(one) for one in below]
        assert [places.of(one) for one in asked] == [small.of(one) for one in asked]
        assert small.bytes_known <= 1000
    finally:
        os.close(fd)
