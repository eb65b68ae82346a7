"""Where a directory handle stands: in which watched roots, and at which path below them."""

from __future__ import annotations

import errno
import os
from typing import Generic, TypeAlias, TypeVar

from agent.core.recent_map import WeighedMap
from agent.core.rows import PRIVATE_DIR
from agent.fs.handles import open_by_handle

Owner = TypeVar("Owner")

#: ``(owner, prefix)`` for each root that a directory lies below; an entry's path is ``prefix + name``.
#: ``()``: outside of all. None: in a private directory, or gone.
Standing: TypeAlias = tuple[tuple[Owner, bytes], ...] | None

_GONE = (errno.ESTALE, errno.ENOENT)


class HandlePaths(Generic[Owner]):
    """Answers by open_by_handle_at and the link in /proc, and remembers up to ``limit`` answers of ``most`` bytes.

    An answer holds until a directory is renamed (``clear``). A removed directory keeps its answer: events from before
    its end may still come. Not thread-safe."""

    def __init__(self, limit: int = 16384, most: int = 16 << 20) -> None:
        self._known = WeighedMap[bytes, Standing[Owner]](limit, most, _size)
        self._roots: dict[Owner, tuple[int, bytes]] = {}

    @property
    def bytes_known(self) -> int:
        """How many bytes the answers that are remembered have."""
        return self._known.weight

    def add_root(self, owner: Owner, root_fd: int) -> None:
        """Watch below the directory ``root_fd``, which stays open until ``drop_root``."""
        self._roots[owner] = (root_fd, _mount_of(root_fd))
        self.clear()

    def drop_root(self, owner: Owner) -> None:
        """Answer for this root no longer."""
        self._roots.pop(owner, None)
        self.clear()

    def clear(self) -> None:
        """Some directory is called otherwise now."""
        self._known.forget_all()

    def forget(self, handle: bytes) -> None:
        """A directory was created with this handle: what was known under it is about one that is gone."""
        self._known.forget(handle)

    def of(self, handle: bytes) -> Standing[Owner]:
        """Where the directory with this handle stands. OSError when that cannot be found out."""
        known = self._known
        if handle in known:
            known.move_to_end(handle)
            return known[handle]
        standing = self._find(handle)
        known.remember(handle, standing)
        return standing

    def alive(self, handle: bytes) -> bool:
        """Whether the object with this handle still has a name or is held open. Without roots: no."""
        for root_fd, _ in self._roots.values():
            try:
                fd = open_by_handle(root_fd, handle, os.O_PATH)
            except OSError as error:
                if error.errno in _GONE:
                    return False
                raise
            try:
                return os.fstat(fd).st_nlink > 0
            finally:
                os.close(fd)
        return False

    def _find(self, handle: bytes) -> Standing[Owner]:
        found: list[tuple[Owner, bytes]] = []
        private = False
        paths: dict[bytes, bytes | None] = {}
        for owner, (root_fd, mount) in self._roots.items():
            if mount not in paths:
                paths[mount] = _path_by_handle(root_fd, handle)
            path = paths[mount]
            if path is None:
                return None
            below = _below(path, os.readlink(b"/proc/self/fd/%d" % root_fd))
            if below is None:
                continue
            if below == PRIVATE_DIR or below.startswith(PRIVATE_DIR + b"/"):
                private = True
            else:
                found.append((owner, below + b"/" if below else b""))
        return tuple(found) if found or not private else None


def _size(standing: Standing[Owner]) -> int:
    """Bytes of an answer, which may be a path of any length."""
    return sum(len(prefix) for _, prefix in standing or ())


def _below(path: bytes, root: bytes) -> bytes | None:
    """``path`` relative to ``root``; None when it lies outside."""
    if path == root:
        return b""
    start = root if root == b"/" else root + b"/"
    return path[len(start) :] if path.startswith(start) else None


def _mount_of(fd: int) -> bytes:
    """The mount that a descriptor was opened through: one filesystem may be mounted at several places."""
    with open(f"/proc/self/fdinfo/{fd}", "rb") as info:
        for line in info:
            if line.startswith(b"mnt_id:"):
                return line
    return b""


def _path_by_handle(root_fd: int, handle: bytes) -> bytes | None:
    """The absolute path of a directory as seen through the root's mount; None when it is gone."""
    try:
        fd = open_by_handle(root_fd, handle, os.O_PATH)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise
    try:
        if not os.fstat(fd).st_nlink:
            return None
        try:
            return os.readlink(b"/proc/self/fd/%d" % fd)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            return _long_path(fd)
    finally:
        os.close(fd)


def _long_path(fd: int) -> bytes | None:
    """The path of a directory for which it is over a page long, so that /proc cannot tell it: name by name, upwards."""
    names: list[bytes] = []
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
    try:
        while True:
            inode = os.fstat(here).st_ino
            above = os.open("..", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = above
            with os.scandir(here) as entries:
                name = next((os.fsencode(entry.name) for entry in entries if entry.inode() == inode), None)
            if name is None:
                return None
            names.append(name)
            try:
                return b"/".join((os.readlink(b"/proc/self/fd/%d" % here), *reversed(names)))
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
    finally:
        os.close(here)
