"""What differs from filesystem to filesystem, on real ones: loop images of ext4, XFS and btrfs, overlays and nested mounts."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.ids import ROOT, ObjectId
from agent.core.rows import FLAG_IMMUTABLE, ObjectRow
from agent.fs import confined, content, durable, handles, metadata
from agent.fs.dir_tree import DirTree
from agent.fs.xattrs import ACL_ACCESS
from fakes.fs_fakes import acl_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")

_MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "ext4 with small inodes": ["mkfs.ext4", "-q", "-F", "-I", "128"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
}
_SIZE = 320 << 20


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")


def _unmount(where: Path) -> None:
    subprocess.run(["umount", str(where)], check=True)


@contextlib.contextmanager
def _filesystem(kind: str, scratch: Path) -> Iterator[Path]:
    command = _MAKE[kind]
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    program = shutil.which(command[0], path=search)
    if program is None:
        pytest.skip(f"{command[0]} is not installed")
    image, where = scratch / "image", scratch / "mounted"
    with image.open("wb") as file:
        file.truncate(_SIZE)
    subprocess.run([program, *command[1:], str(image)], check=True, capture_output=True)
    where.mkdir()
    _mount("-o", "loop", str(image), str(where))
    try:
        yield where
    finally:
        _unmount(where)


@pytest.fixture(params=list(_MAKE))
def mounted(request: pytest.FixtureRequest, tmpfs_dir: Path) -> Iterator[tuple[str, Path]]:
    """Each filesystem in turn: its kind and where it is mounted."""
    with _filesystem(request.param, tmpfs_dir) as where:
        yield request.param, where


def test_every_primitive_on_every_filesystem(mounted: tuple[str, Path]) -> None:
    """Handles, ids, metadata with ACL and flags, moves, holes and clones work or say that they do not."""
    kind, where = mounted
    root = confined.open_root(str(where))
    try:
        _check_metadata(root, kind)
        _check_handles(root)
        _check_moves(root)
        _check_content(root, kind)
        _check_grain(root, kind)
    finally:
        os.close(root)


def _check_metadata(root: int, kind: str) -> None:
    mtime = 1_234_567_890_000_000_000 if "small" in kind else 1_234_567_890_123_456_789
    row = ObjectRow(
        ObjectId(2),
        stat.S_IFREG | 0o4775,
        11,
        12,
        mtime,
        FLAG_IMMUTABLE,
        0,
        0,
        ((ACL_ACCESS, acl_for(1001, 6)), (b"trusted.t", b"1"), (b"user.u", b"2")),
    )
    row_mode = row.mode & ~0o7 | 0o4
    row = ObjectRow(row.id, row_mode, row.uid, row.gid, mtime, row.flags, 0, 0, tuple(sorted(row.xattrs)))
    os.close(confined.create_file(root, b"meta"))
    assert [] == metadata.apply_metadata(root, b"meta", row, None)
    found = metadata.read_metadata(root, b"meta", confined.lstat(root, b"meta"), None)
    assert metadata.Metadata(row.mode, 11, 12, mtime, FLAG_IMMUTABLE, 0, 0, row.xattrs) == found
    assert FLAG_IMMUTABLE == confined.clear_flags(root, b"meta")


def _check_handles(root: int) -> None:
    handle = handles.handle_of(root, b"meta")
    assert not handle.startswith(b"\0ino")
    assert handles.can_open_by_handle(root)
    fd = handles.open_by_handle(root, handle, os.O_RDONLY)
    assert confined.lstat(root, b"meta").st_ino == os.fstat(fd).st_ino
    os.close(fd)


def _check_moves(root: int) -> None:
    confined.make_dir(root, b"d")
    with pytest.raises(FileExistsError):
        confined.rename(root, b"meta", root, b"d", replace=False)
    confined.exchange(root, b"meta", root, b"d")
    assert stat.S_ISDIR(confined.lstat(root, b"meta").st_mode)
    with pytest.raises(NotADirectoryError):
        confined.open_dir(root, b"d")


def _check_content(root: int, kind: str) -> None:
    fd, copy = confined.create_file(root, b"content"), confined.create_file(root, b"copy")
    os.ftruncate(fd, 1 << 20)
    content.pwrite_all(fd, b"x" * (1 << 16), 1 << 18)
    holes = [(False, 0, 1 << 18), (True, 1 << 18, 1 << 16), (False, 5 << 16, 11 << 16)]
    assert holes == content.segments(fd, 1 << 20)
    assert content.punch(fd, 1 << 18, 1 << 16)
    assert [(False, 0, 1 << 20)] == content.segments(fd, 1 << 20)
    content.pwrite_all(fd, b"shared", 0)
    durable.sync_filesystem(fd)
    assert (kind in ("xfs", "btrfs")) == content.reflink(fd, copy)
    os.close(fd)
    os.close(copy)


def _check_grain(root: int, kind: str) -> None:
    assert (1_000_000_000 if "small" in kind else 20_000_000) == durable.timestamp_grain_ns(root)


def test_filesystem_id_survives_a_remount(mounted: tuple[str, Path], tmp_path: Path) -> None:
    """A filesystem that comes back on another device number is the same filesystem; handles in it stay the same."""
    _, where = mounted
    os.mkdir(where / "d")
    before = _identity(where)
    _unmount(where)
    blocker = tmp_path / "blocker"
    blocker.write_bytes(bytes(1 << 20))
    taken = subprocess.run(["losetup", "-f", "--show", str(blocker)], check=True, capture_output=True, text=True)
    try:
        _mount("-o", "loop", str(where.parent / "image"), str(where))
        assert before == _identity(where)
    finally:
        subprocess.run(["losetup", "-d", taken.stdout.strip()], check=True)


def _identity(where: Path) -> tuple[bytes, bytes]:
    fd = confined.open_root(str(where))
    try:
        return handles.filesystem_id(fd), handles.handle_of(fd, b"d")
    finally:
        os.close(fd)


def test_private_xattrs_of_xfs_are_left_out(tmpfs_dir: Path) -> None:
    """XFS shows root its ACLs a second time as trusted.SGI_ACL_FILE: only the ACL is read."""
    with _filesystem("xfs", tmpfs_dir) as where:
        (where / "f").touch()
        os.setxattr(where / "f", ACL_ACCESS, acl_for(1001, 6))
        root = confined.open_root(str(where))
        found = metadata.read_metadata(root, b"f", confined.lstat(root, b"f"), None)
        os.close(root)

    assert [ACL_ACCESS] == [name for name, _ in found.xattrs]


@pytest.mark.parametrize("how", ["tmpfs", "bind"])
def test_nested_mounts_are_not_crossed(tmp_path: Path, how: str) -> None:
    """Neither another filesystem nor the same one mounted below the root is entered."""
    (tmp_path / "other").mkdir()
    (tmp_path / "root" / "mount").mkdir(parents=True)
    if how == "tmpfs":
        _mount("-t", "tmpfs", "tmpfs", str(tmp_path / "root" / "mount"))
    else:
        _mount("--bind", str(tmp_path / "other"), str(tmp_path / "root" / "mount"))
    root = confined.open_root(str(tmp_path / "root"))
    tree = DirTree(root, lambda _: (ROOT, b"mount"))
    try:
        with pytest.raises(confined.OtherFilesystem):
            confined.open_dir(root, b"mount")
        with pytest.raises(confined.OtherFilesystem):
            tree.fd(ObjectId(2))
    finally:
        os.close(root)
        _unmount(tmp_path / "root" / "mount")


def test_a_btrfs_subvolume_belongs_to_the_tree(tmpfs_dir: Path) -> None:
    """A subvolume has another device number though nothing is mounted: DirTree enters it, and its mount is that of the root."""
    with _filesystem("btrfs", tmpfs_dir) as where:
        program = shutil.which("btrfs", path=os.environ.get("PATH", "") + ":/usr/bin:/bin")
        if program is None:
            pytest.skip("btrfs is not installed")
        subprocess.run([program, "-q", "subvolume", "create", str(where / "sub")], check=True)
        root = confined.open_root(str(where))
        tree = DirTree(root, lambda _: (ROOT, b"sub"))
        fd = tree.fd(ObjectId(2))
        same = handles.mount_of_fd(fd) == handles.mount_of_fd(root)
        assert (True, True, False) == (
            same,
            os.fstat(fd).st_dev != os.fstat(root).st_dev,
            handles.is_read_only_subvolume(fd),
        )
        tree.close()
        os.close(root)


def test_overlay_gives_stand_ins(tmpfs_dir: Path) -> None:
    """An overlay without exported handles still tells objects apart, and says that it cannot open them."""
    for name in ("lower", "upper", "work", "merged"):
        (tmpfs_dir / name).mkdir()
    (tmpfs_dir / "lower" / "a").touch()
    layers = f"lowerdir={tmpfs_dir}/lower,upperdir={tmpfs_dir}/upper,workdir={tmpfs_dir}/work"
    _mount("-t", "overlay", "overlay", "-o", layers, str(tmpfs_dir / "merged"))
    root = confined.open_root(str(tmpfs_dir / "merged"))
    try:
        os.close(confined.create_file(root, b"b"))
        first, second = handles.handle_of(root, b"a"), handles.handle_of(root, b"b")
        confined.rename(root, b"b", root, b"c", replace=False)

        assert (True, second) == (first != second, handles.handle_of(root, b"c"))
        assert not first.startswith(b"\0ino") or not handles.can_open_by_handle(root)
    finally:
        os.close(root)
        _unmount(tmpfs_dir / "merged")
