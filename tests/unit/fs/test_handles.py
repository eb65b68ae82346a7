"""Handles: the same for one object under all its names, another for any other, for good."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.fs import _libc, confined, handles
from fakes.fs_fakes import as_nobody


@pytest.fixture(params=["ext4", "tmpfs"])
def root(request: pytest.FixtureRequest, tmp_path: Path, tmpfs_dir: Path) -> Iterator[int]:
    """An open empty directory."""
    fd = confined.open_root(str(tmp_path if request.param == "ext4" else tmpfs_dir))
    yield fd
    os.close(fd)


@pytest.fixture(params=["real", "stand-in"])
def _either_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the filesystem's handles, and as on one that gives none."""
    if request.param == "stand-in":

        def refused(*_: object) -> int:
            ctypes.set_errno(errno.EOPNOTSUPP)
            return -1

        monkeypatch.setattr(_libc, "name_to_handle_at", refused)
        monkeypatch.setattr(_libc, "name_to_handle_at_quick", refused)


@pytest.mark.usefixtures("_either_kind")
def test_a_handle_is_of_the_object(root: int) -> None:
    """Two names, a rename, new content and a descriptor give one handle; a symlink has its own."""
    fd = confined.create_file(root, b"a")
    first = handles.handle_of(root, b"a")
    confined.link(root, b"a", root, b"b")
    confined.make_symlink(root, b"link", b"a")
    confined.rename(root, b"a", root, b"c", replace=True)
    os.write(fd, b"content")

    assert {first} == {handles.handle_of(root, b"b"), handles.handle_of(root, b"c"), handles.handle_of_fd(fd)}
    assert first != handles.handle_of(root, b"link")
    os.close(fd)


def test_an_inode_number_used_again_gives_another_handle(root: int) -> None:
    """Files made and removed in turn never show the same handle, though the filesystem reuses inode numbers."""
    found = set()
    for _ in range(50):
        os.close(confined.create_file(root, b"a"))
        found.add(handles.handle_of(root, b"a"))
        confined.unlink(root, b"a")

    assert 50 == len(found)


@pytest.mark.usefixtures("_either_kind")
def test_what_is_gone_has_none(root: int) -> None:
    """FileNotFoundError for a missing entry, OSError for a closed descriptor."""
    with pytest.raises(FileNotFoundError):
        handles.handle_of(root, b"missing")
    fd = os.dup(root)
    os.close(fd)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        handles.handle_of_fd(fd)


def test_a_handle_has_the_layout_of_the_kernel(root: int) -> None:
    """Handle type, then handle bytes: what a fanotify record holds behind its length."""
    os.close(confined.create_file(root, b"a"))
    raw = ctypes.create_string_buffer(8 + 128)
    ctypes.c_uint32.from_buffer(raw).value = 128
    mount = ctypes.c_int()
    assert 0 == _libc.name_to_handle_at(root, b"a", ctypes.addressof(raw), ctypes.addressof(mount), 0)
    length = ctypes.c_uint32.from_buffer(raw).value

    assert raw.raw[4 : 8 + length] == handles.handle_of(root, b"a")


def test_pinned_objects_have_handles(root: int) -> None:
    """An O_PATH descriptor of anything, a symlink too, gives its handle."""
    confined.make_symlink(root, b"link", b"nowhere")
    pinned = confined.open_pinned(root, b"link")

    assert handles.handle_of(root, b"link") == handles.handle_of_fd(pinned)
    os.close(pinned)


@pytest.mark.skipif(os.geteuid() != 0, reason="opening by handle needs CAP_DAC_READ_SEARCH")
def test_open_by_handle(root: int) -> None:
    """The object opens wherever it was moved, and is stale once it is gone."""
    confined.make_dir(root, b"d")
    os.close(confined.create_file(root, b"a"))
    handle = handles.handle_of(root, b"a")
    below = confined.open_dir(root, b"d")
    confined.rename(root, b"a", below, b"moved", replace=False)

    fd = handles.open_by_handle(root, handle, os.O_RDONLY)

    assert confined.lstat(below, b"moved").st_ino == os.fstat(fd).st_ino
    assert not os.get_inheritable(fd)
    os.close(fd)
    confined.unlink(below, b"moved")
    os.close(below)
    with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
        handles.open_by_handle(root, handle, os.O_RDONLY)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lose the privilege")
def test_whether_handles_can_be_opened(root: int) -> None:
    """Root can, nobody cannot; and nobody is told so by PermissionError."""
    assert handles.can_open_by_handle(root)
    handle = handles.handle_of_fd(root)

    with as_nobody():
        assert not handles.can_open_by_handle(root)
        with pytest.raises(PermissionError):
            handles.open_by_handle(root, handle, os.O_RDONLY)


@pytest.mark.parametrize("handle", [b"", b"1234", b"12345" * 40, b"\xff\xff\xff\xff1"])
def test_bytes_that_are_no_handle(root: int, handle: bytes) -> None:
    """Too short, too long or invented bytes are refused, without a crash."""
    with pytest.raises(OSError, match=r"file handle|Invalid argument"):
        handles.open_by_handle(root, handle, os.O_RDONLY)


def test_a_stand_in_cannot_be_opened(root: int) -> None:
    """EOPNOTSUPP, so that the caller goes by name."""
    with pytest.raises(OSError, match="no file handles") as caught:
        handles.open_by_handle(root, b"\0ino" + bytes(16), os.O_RDONLY)

    assert errno.EOPNOTSUPP == caught.value.errno


def test_threads_do_not_share_buffers(root: int) -> None:
    """Handles taken by several threads at once are each thread's own."""
    names = [b"f%d" % number for number in range(8)]
    for name in names:
        os.close(confined.create_file(root, name))
    right = {name: handles.handle_of(root, name) for name in names}
    wrong: list[bytes] = []

    def look(name: bytes) -> None:
        wrong.extend(name for _ in range(300) if handles.handle_of(root, name) != right[name])

    threads = [threading.Thread(target=look, args=(name,), name=f"look-{name!r}") for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (8, []) == (len(set(right.values())), wrong)


def test_filesystem_id(root: int, tmp_path: Path, tmpfs_dir: Path) -> None:
    """The same for everything on one filesystem, another for another."""
    confined.make_dir(root, b"d")
    below = confined.open_dir(root, b"d")
    here, there = confined.open_root(str(tmp_path)), confined.open_root(str(tmpfs_dir))

    assert handles.filesystem_id(root) == handles.filesystem_id(below)
    if tmp_path.stat().st_dev != tmpfs_dir.stat().st_dev:
        assert handles.filesystem_id(here) != handles.filesystem_id(there)
    for fd in (below, here, there):
        os.close(fd)
