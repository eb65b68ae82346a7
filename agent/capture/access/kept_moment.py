"""A snapshot of btrfs as the moment that is read: made in the root's private directory, looked over, and dropped.

Nobody waits while it is read, and all of it can be asked: what a look needs beside what changed is read in the snapshot too. It
is dropped on every way out; what an end of the agent left is dropped when the root is opened next.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from agent.config.nesting import below, mount_points
from agent.core.rows import PRIVATE_DIR
from agent.fs.confined import make_dir, open_dir, open_root
from agent.fs.handles import handle_of_fd
from agent.fs.snapshots.subvolume import (
    MOMENT,
    CannotSnapshot,
    SnapshotFailed,
    drop_left_moment,
    handle_in,
    make_snapshot,
    subvolume_around,
    subvolume_of,
)

_MAKE = "make a snapshot"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class KeptMoment:
    """``root_fd``: the root as it stands in the snapshot; ``live`` and ``own``: the numbers of the subvolume and of the snapshot;
    ``covered``: handles of what something is mounted on; ``seconds``: how long the making took, which is the longest that a
    writer waited for it."""

    root_fd: int
    live: int
    own: int
    covered: frozenset[bytes]
    seconds: float

    def is_of_subvolume(self, handle: bytes) -> bool:
        """Whether a living object stands in the subvolume of which this is a snapshot."""
        return subvolume_of(handle) == self.live

    def here(self, handle: bytes) -> bytes:
        """The handle in the snapshot of a living object of its subvolume."""
        return handle_in(self.own, handle)

    def living(self, handle: bytes) -> bytes:
        """The handle, in the tree itself, of an object of the snapshot."""
        return handle_in(self.live, handle) if subvolume_of(handle) == self.own else handle


@contextmanager
def kept_moment(root_fd: int, path: str) -> Iterator[KeptMoment]:
    """Within the block a snapshot of the tree with this open root stands; ``path`` names the root to people.

    Raises ``SnapshotFailed``, ``CannotSnapshot``, and nothing is left behind."""
    opened: list[int] = []
    drop_left_moment(root_fd)
    try:
        with _told(path):
            opened.append(subvolume_around(root_fd, path))
            private = _private(root_fd, path)
            opened.append(private)
            began = time.monotonic()
            make_snapshot(opened[0], private, MOMENT, path)
            seconds = time.monotonic() - began
            moment = _opened(root_fd, opened[0], private, opened)
            kept = KeptMoment(moment, *_numbers(root_fd, moment, path), _covered(root_fd, moment), seconds)
        yield kept
    finally:
        drop_left_moment(root_fd)
        for fd in opened:
            os.close(fd)


def why_no_snapshot(path: str) -> str:
    """Why no snapshot can be had of the tree at a path; "" where one can, or where nothing stands there yet. Makes nothing."""
    try:
        root = open_root(path)
    except OSError:
        return ""
    try:
        os.close(subvolume_around(root, path))
    except CannotSnapshot as error:
        return error.reason
    finally:
        os.close(root)
    return ""


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SnapshotFailed(_MAKE, path, error.strerror or str(error), "look at .hikae in it") from error


def _private(root_fd: int, path: str) -> int:
    with suppress(FileExistsError):
        make_dir(root_fd, PRIVATE_DIR)
    fd = open_dir(root_fd, PRIVATE_DIR)
    found = os.fstat(fd)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:
        os.close(fd)
        raise CannotSnapshot(_MAKE, path, "its .hikae is not a directory of ours", f"move {path}/.hikae away")
    return fd


def _opened(root_fd: int, subvolume: int, private: int, opened: list[int]) -> int:
    """Open the place in the snapshot where the root stands in the subvolume."""
    top = os.open(MOMENT, _DIRECTORY, dir_fd=private)
    opened.append(top)
    inside = below(os.fsdecode(_path_of(root_fd)), os.fsdecode(_path_of(subvolume)))
    if inside is None:
        return top
    opened.append(os.open(inside, _DIRECTORY, dir_fd=top))
    return opened[-1]


def _numbers(root_fd: int, moment: int, path: str) -> tuple[int, int]:
    living, kept = handle_of_fd(root_fd), handle_of_fd(moment)
    live, own = subvolume_of(living), subvolume_of(kept)
    if live is None or own is None:
        raise CannotSnapshot(_MAKE, path, "its filesystem gives no handles", 'write quiesce = "none" for this dataset')
    if handle_in(own, living) != kept:
        raise SnapshotFailed(_MAKE, path, "the root was moved meanwhile", "it is tried again by itself")
    return live, own


def _covered(root_fd: int, moment: int) -> frozenset[bytes]:
    """Handles, in the tree, of directories and files that something is mounted on: the snapshot shows what stands below."""
    root = os.fsdecode(_path_of(root_fd))
    found = set()
    for point in mount_points():
        inside = below(point, root)
        if inside is not None:
            with suppress(OSError):
                fd = os.open(inside, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=moment)
                try:
                    found.add(handle_of_fd(fd))
                finally:
                    os.close(fd)
    return frozenset(found)


def _path_of(fd: int) -> bytes:
    return os.readlink(b"/proc/self/fd/%d" % fd)
