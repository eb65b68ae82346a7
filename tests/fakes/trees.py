"""An independent look at a directory tree: everything that must be equal on both sides, and nothing of ours used to see it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import stat
import struct
from dataclasses import dataclass, replace

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
        _scan(top, b"", found, inodes)
    finally:
        os.close(top)
    for paths in inodes.values():
        if len(paths) > 1:
            for path in paths:
                found[path] = replace(found[path], links=tuple(sorted(paths)))
    return found


def differences(one: str, other: str, limit: int = 40) -> list[str]:
    """What differs between two trees, in words; empty when they are equal."""
    a, b = snapshot(one), snapshot(other)
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


def _scan(top: int, prefix: bytes, found: dict[bytes, Seen], inodes: dict[tuple[int, int], list[bytes]]) -> None:
    for text in sorted(os.listdir(top)):
        name = os.fsencode(text)
        path = prefix + b"/" + name if prefix else name
        if path == PRIVATE:
            continue
        st = os.stat(name, dir_fd=top, follow_symlinks=False)
        if stat.S_ISSOCK(st.st_mode):
            continue
        found[path] = _seen(top, name, st)
        if stat.S_ISDIR(st.st_mode):
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
            try:
                _scan(below, path, found, inodes)
            finally:
                os.close(below)
        else:
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
