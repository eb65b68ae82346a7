"""An independent look at a directory tree: everything that must be equal on both sides, and nothing of ours used to see it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import stat
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

PRIVATE = b".hikae"
_LIBC = ctypes.CDLL(None, use_errno=True)
_GETFLAGS = 0x80086601
_KEPT_FLAGS = 0x30


@dataclass(frozen=True, slots=True)
class Seen:
    """One entry as an outside observer sees it. ``links``: the other paths of the same inode, sorted."""

    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    rdev: int
    target: bytes
    content: str
    holes: tuple[tuple[int, int], ...]
    xattrs: tuple[tuple[str, bytes], ...]
    flags: int
    links: tuple[bytes, ...]


def snapshot(root: str) -> dict[bytes, Seen]:
    """Every path below ``root`` (b"" is the root itself), our private directory and sockets left out."""
    found: dict[bytes, Seen] = {}
    inodes: dict[tuple[int, int], list[bytes]] = {}
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        st = os.fstat(top)
        found[b""] = _seen(top, b".", st)
    finally:
        os.close(top)
    _scan(root, found, inodes)
    for paths in inodes.values():
        if len(paths) > 1:
            for path in paths:
                found[path] = replace(found[path], links=tuple(sorted(paths)))
    return found


def without_holes(tree: dict[bytes, Seen]) -> dict[bytes, Seen]:
    """xfs tells holes by what is in its cache: content tells whether files are equal."""
    return {path: replace(seen, holes=()) for path, seen in tree.items()}


def differences(one: str, other: str, limit: int = 40) -> list[str]:
    """What differs between two trees, in words; empty when they are equal. Of one that is written meanwhile something may be gone
    before it was looked at: that is a difference too, until the next look."""
    try:
        a, b = snapshot(one), snapshot(other)
    except OSError as error:
        return [f"not all could be looked at: {error}"]
    words: list[str] = []
    for path in sorted(a.keys() | b.keys()):
        if path not in a or path not in b:
            words.append(f"{path!r}: only in {'the second' if path not in a else 'the first'}")
        elif a[path] != b[path]:
            fields = [
                f"{name} {getattr(a[path], name)!r} != {getattr(b[path], name)!r}"
                for name in Seen.__slots__
                if getattr(a[path], name) != getattr(b[path], name)
            ]
            words.append(f"{path!r}: {'; '.join(fields)}")
        if len(words) >= limit:
            break
    return words


def directories(root: str) -> Iterator[tuple[bytes, int, list[bytes]]]:
    """Every directory but our private one: its path with a slash (b"" for the root), itself open, and its names, sorted.

    One is open at a time: a tree may be deeper than descriptors, Python's stack, or a path that a system call takes."""
    at, prefix = os.open(root, os.O_RDONLY | os.O_DIRECTORY), b""
    left: list[list[bytes]] = []
    try:
        while True:
            names = sorted(name for name in map(os.fsencode, os.listdir(at)) if prefix + name != PRIVATE)
            yield prefix, at, names
            left.append(
                [name for name in names if stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)]
            )
            while not left[-1]:
                left.pop()
                if not left:
                    return
                at = _into(at, b"..")
                prefix = prefix[: prefix[:-1].rfind(b"/") + 1]
            name = left[-1].pop(0)
            at = _into(at, name)
            prefix += name + b"/"
    finally:
        os.close(at)


def _into(at: int, name: bytes) -> int:
    below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
    os.close(at)
    return below


def remove_all(top: Path) -> None:
    """Remove a tree of any depth, as far as that is allowed."""
    subprocess.run(["rm", "-rf", "--one-file-system", "--", str(top)], capture_output=True, check=False)


def put_back(image: Path, path: Path) -> None:
    """What was in a directory; the directory itself stays, as a standby's root does in an image of its filesystem."""
    for entry in path.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    shutil.copytree(image, path, symlinks=True, dirs_exist_ok=True)


def _scan(root: str, found: dict[bytes, Seen], inodes: dict[tuple[int, int], list[bytes]]) -> None:
    for prefix, top, names in directories(root):
        for name in names:
            st = os.stat(name, dir_fd=top, follow_symlinks=False)
            if stat.S_ISSOCK(st.st_mode):
                continue
            path = prefix + name
            found[path] = _seen(top, name, st)
            if not stat.S_ISDIR(st.st_mode):
                inodes.setdefault((st.st_dev, st.st_ino), []).append(path)


def _seen(top: int, name: bytes, st: os.stat_result) -> Seen:
    kind = stat.S_IFMT(st.st_mode)
    target, content, flags = b"", "", 0
    holes: tuple[tuple[int, int], ...] = ()
    if kind == stat.S_IFLNK:
        target = os.readlink(name, dir_fd=top)
    elif kind in (stat.S_IFREG, stat.S_IFDIR):
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=top)
        try:
            flags = _flags(fd)
            if kind == stat.S_IFREG:
                content, holes = _content(fd), _holes(fd, st.st_size)
        finally:
            os.close(fd)
    size = st.st_size if kind == stat.S_IFREG else 0
    rdev = st.st_rdev if kind in (stat.S_IFCHR, stat.S_IFBLK) else 0
    return Seen(
        st.st_mode,
        st.st_uid,
        st.st_gid,
        st.st_mtime_ns,
        size,
        rdev,
        target,
        content,
        holes,
        _xattrs(top, name),
        flags,
        (),
    )


def _content(fd: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    while block := os.read(fd, 1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _holes(fd: int, size: int) -> tuple[tuple[int, int], ...]:
    holes: list[tuple[int, int]] = []
    at = 0
    while at < size:
        start = os.lseek(fd, at, os.SEEK_HOLE)
        if start >= size:
            break
        try:
            end = os.lseek(fd, start, os.SEEK_DATA)
        except OSError:
            end = size
        holes.append((start, end))
        at = end
    return tuple(holes)


def _xattrs(top: int, name: bytes) -> tuple[tuple[str, bytes], ...]:
    path = b"/proc/self/fd/%d/%s" % (top, name)
    found = []
    for key in sorted(os.listxattr(path, follow_symlinks=False)):
        if not key.startswith("trusted.SGI") and key not in ("security.ima", "security.evm"):
            found.append((key, os.getxattr(path, key, follow_symlinks=False)))
    return tuple(found)


def _flags(fd: int) -> int:
    buffer = ctypes.create_string_buffer(8)
    if _LIBC.ioctl(fd, ctypes.c_ulong(_GETFLAGS), buffer) != 0:
        return 0
    return int(struct.unpack_from("i", buffer.raw)[0]) & _KEPT_FLAGS
