"""Subvolumes of btrfs: around which directory one stands, and a read-only snapshot of it, made and dropped.

An object of a snapshot has the number and the generation that it has in the subvolume; the handles of the two differ by the
number of the subvolume alone, so each can be told from the other.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from contextlib import suppress

from agent.core.errors import NotPermitted, TryAgain
from agent.core.rows import PRIVATE_DIR
from agent.fs import _libc
from agent.fs.component import require_component
from agent.fs.confined import open_dir
from agent.fs.handles import SUBVOLUME_INODE, mount_of_fd

#: What the snapshot is called that is read as a moment, in the private directory of its root.
MOMENT = b"moment"
#: The directory that stands for another subvolume in a snapshot of the one around it (BTRFS_EMPTY_SUBVOL_DIR_OBJECTID).
ANOTHER_SUBVOLUME = 2

#: _IOW(0x94, 23 and 15, 4096 bytes): BTRFS_IOC_SNAP_CREATE_V2 and BTRFS_IOC_SNAP_DESTROY (linux/btrfs.h).
_SNAP_CREATE_V2, _SNAP_DESTROY = 0x50009417, 0x5000940F
#: struct btrfs_ioctl_vol_args_v2: descriptor, transaction, flags, four words that are not used, name.
_CREATE = struct.Struct("=qQQ32x4040s")
#: struct btrfs_ioctl_vol_args: descriptor, name.
_DESTROY = struct.Struct("=q4088s")
#: Type of a handle without its parent's (FILEID_BTRFS_WITHOUT_PARENT), number, number of the subvolume, generation.
_HANDLE = struct.Struct("=iQQI")
_PLAIN_HANDLE = 0x4D
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MAKE = "make a snapshot"


class SnapshotFailed(TryAgain):
    """No snapshot was made, and the next try may succeed."""


class CannotSnapshot(NotPermitted):
    """No snapshot can be had of what stands there. ``subject`` is its path."""


def subvolume_of(handle: bytes) -> int | None:
    """The number of the subvolume that a handle's object stands in; None for a handle of another kind."""
    if len(handle) != _HANDLE.size:
        return None
    kind, _, subvolume, _ = _HANDLE.unpack(handle)
    return int(subvolume) if kind == _PLAIN_HANDLE else None


def handle_in(subvolume: int, handle: bytes) -> bytes:
    """The handle of the same object as it stands in another subvolume: the one that is a snapshot of its own, or its source."""
    kind, number, _, generation = _HANDLE.unpack(handle)
    return _HANDLE.pack(kind, number, subvolume, generation)


def subvolume_around(directory: int, path: str) -> int:
    """Open the root of the subvolume that an open directory stands in; ``path`` names the directory to people.

    Raises ``CannotSnapshot`` where there is none, or where it is not mounted as a whole."""
    if _libc.magic_of(directory) != _libc.BTRFS_MAGIC:
        raise CannotSnapshot(_MAKE, path, "it does not stand on btrfs", 'write quiesce = "freeze" for this dataset')
    mount, fd = mount_of_fd(directory), os.open(".", _DIRECTORY, dir_fd=directory)
    while os.fstat(fd).st_ino != SUBVOLUME_INODE:
        try:
            above = os.open("..", _DIRECTORY, dir_fd=fd)
        finally:
            os.close(fd)
        fd = above
        if mount_of_fd(fd) != mount:
            os.close(fd)
            reason = "only a part of its subvolume is mounted there"
            raise CannotSnapshot(_MAKE, path, reason, "make the path a subvolume: btrfs subvolume create")
    return fd


def make_snapshot(subvolume: int, directory: int, name: bytes, path: str) -> None:
    """Make a read-only snapshot of the subvolume with this open root, at a name in an open directory of the same filesystem;
    ``path`` names its source to people. Raises ``SnapshotFailed``, ``CannotSnapshot``."""
    require_component(name)
    try:
        _ask(directory, _SNAP_CREATE_V2, _CREATE.pack(subvolume, 0, _libc.BTRFS_SUBVOL_RDONLY, name))
    except OSError as error:
        raise _refused(error, path) from error


def drop_snapshot(directory: int, name: bytes) -> None:
    """Drop the snapshot at a name, if one stands there; its blocks are given back later. OSError where it cannot be."""
    require_component(name)
    with suppress(FileNotFoundError):
        if os.stat(name, dir_fd=directory, follow_symlinks=False).st_ino == SUBVOLUME_INODE:
            _ask(directory, _SNAP_DESTROY, _DESTROY.pack(0, name))


def drop_left_moment(root_fd: int) -> None:
    """Drop the snapshot in the private directory of an open root, if one stands there: when it was read, or when an agent ended
    while it read one. What cannot be dropped now is dropped the next time."""
    with suppress(OSError):
        private = open_dir(root_fd, PRIVATE_DIR)
        try:
            drop_snapshot(private, MOMENT)
        finally:
            os.close(private)


def _ask(directory: int, what: int, said: bytes) -> None:
    # What is longer than 1,024 bytes goes in a buffer of ours only.
    fcntl.ioctl(directory, what, bytearray(said), True)


def _refused(error: OSError, path: str) -> SnapshotFailed | CannotSnapshot:
    if error.errno in (errno.EPERM, errno.EACCES):
        return CannotSnapshot(_MAKE, path, "the privilege CAP_SYS_ADMIN is missing", "run the agent as root")
    if error.errno == errno.EROFS:
        return CannotSnapshot(_MAKE, path, "its filesystem is mounted read-only", "mount it for writing")
    if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL):
        reason = f"its filesystem makes none ({error.strerror})"
        return CannotSnapshot(_MAKE, path, reason, 'write quiesce = "freeze" for this dataset')
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SnapshotFailed(_MAKE, path, "its filesystem is full", "make room there: btrfs filesystem usage")
    return SnapshotFailed(_MAKE, path, error.strerror or str(error), "see what the kernel says of it: dmesg")
