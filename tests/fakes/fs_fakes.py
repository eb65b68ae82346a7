"""What tests of ``agent.fs`` share: a world outside that must stay as it is, attackers, ACL bytes, very deep trees."""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from agent.fs import _libc

NOBODY = 65534
UNNAMED = 0xFFFFFFFF
_PR_SET_DUMPABLE = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """All that an attack could change of one object."""

    mode: int
    uid: int
    gid: int
    links: int
    size: int
    mtime: int
    ctime: int
    content: bytes
    xattrs: tuple[tuple[str, bytes], ...]


def seen(top: Path) -> dict[str, Seen]:
    """Every object at and below ``top``, not following."""
    paths = [top, *sorted(top.rglob("*"))]
    return {str(path.relative_to(top)): _look(path) for path in paths}


def _look(path: Path) -> Seen:
    st = path.lstat()
    names = os.listxattr(path, follow_symlinks=False)
    return Seen(
        st.st_mode,
        st.st_uid,
        st.st_gid,
        st.st_nlink,
        st.st_size,
        st.st_mtime_ns,
        st.st_ctime_ns,
        path.read_bytes() if stat.S_ISREG(st.st_mode) else b"",
        tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names),
    )


def build_outside(top: Path) -> Path:
    """A directory that no operation inside a tree may touch: a file of every name the tests use, and an empty one."""
    top.mkdir()
    (top / "victim").write_bytes(b"precious")
    (top / "name").write_bytes(b"precious too")
    (top / "empty").mkdir()
    return top


class Swapper:
    """A thread that keeps exchanging two entries of a directory, for at most ``rounds`` exchanges."""

    def __init__(self, dir_fd: int, one: bytes, other: bytes, rounds: int = 20_000) -> None:
        self._given = (dir_fd, one, dir_fd, other)
        self._rounds = rounds
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="swapper")
        self.done = 0

    def _run(self) -> None:
        while self.done < self._rounds and not self._end.is_set():
            _libc.renameat2(*self._given, _libc.RENAME_EXCHANGE)
            self.done += 1

    def __enter__(self) -> Swapper:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()


def acl(*entries: tuple[int, int, int]) -> bytes:
    """The bytes of a POSIX ACL extended attribute from (tag, permissions, id): ``posix_acl_xattr.h``, version 2."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def acl_for(user: int, permissions: int, mask: int = 7, group: int = 5, other: int = 4) -> bytes:
    """An ACL that lets one more user in: owner rwx, that user, group, mask, other."""
    return acl((1, 7, UNNAMED), (2, permissions, user), (4, group, UNNAMED), (16, mask, UNNAMED), (32, other, UNNAMED))


def capability(permitted: int) -> bytes:
    """A ``security.capability`` value of version 2, effective: ``struct vfs_cap_data``."""
    return struct.pack("<IIIII", 0x02000001, permitted, 0, 0, 0)


def deep_chain(root_fd: int, levels: int, name: bytes = b"d") -> None:
    """``levels`` directories in one another, each called ``name``."""
    at = os.dup(root_fd)
    for _ in range(levels):
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def flatten_and_remove(root_fd: int) -> None:
    """Empty a directory of any depth without recursion: what stands in a child moves up before the child goes."""
    moved = 0
    while names := os.listdir(root_fd):
        for name in names:
            moved = _empty_into(root_fd, os.fsencode(name), moved)


def _empty_into(root_fd: int, name: bytes, moved: int) -> int:
    if not stat.S_ISDIR(os.stat(name, dir_fd=root_fd, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=root_fd)
        return moved
    child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root_fd)
    for below in os.listdir(child):
        moved += 1
        os.rename(os.fsencode(below), b"\xff%d" % moved, src_dir_fd=child, dst_dir_fd=root_fd)
    os.close(child)
    os.rmdir(name, dir_fd=root_fd)
    return moved


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Without privileges for a while. Needs root to start from."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    # Changing identity closes /proc/self to the process itself; the agent never changes its own.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
