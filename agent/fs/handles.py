"""File handles: what an object is, whatever it is called and wherever it was moved.

A handle is ``handle type (int, native order) + handle bytes``, exactly as ``struct file_handle`` and a fanotify
record hold them behind their length, so both can be compared as bytes. It is never reused while the filesystem
lives (the inode's generation is in it) and stays the same over a remount; it means nothing on another filesystem.

Where the filesystem gives no handles (EOPNOTSUPP, EOVERFLOW) a stand-in is made of the inode number and the birth
time (0 where there is none): ``00 'ino'  ino u64  birth time u64``. It tells objects apart nearly as well; it cannot
be opened. The files of an overlay carry the inode numbers of several filesystems, so there the device number, by which these
are told apart until the next mount, stands behind.

The mount through which an object is seen comes with its handle. Device numbers do not tell filesystems apart: a btrfs subvolume
has one of its own, and an overlay's files have others than its directories.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from stat import S_ISDIR

from agent.fs import _libc
from agent.fs.component import require_component

_STAND_IN = b"\0ino"
_STAND_IN_FORM = struct.Struct("=QQ")
_HANDLE_MAX = 128
_NO_HANDLES = (errno.EOPNOTSUPP, errno.EOVERFLOW, errno.ENOSYS)

#: FUSE, SMB, CIFS, SMB 2, 9P, vboxsf, vmhgfs (linux/magic.h).
_BY_PATHS = (0x65735546, 0x517B, 0xFF534D42, 0xFE534D42, 0x01021997, 0x786F4256, 0x00BEEF01, 0xBACBACBC)
_XFS_MAGIC = 0x58465342
#: Of the root directory of every btrfs subvolume (BTRFS_FIRST_FREE_OBJECTID).
SUBVOLUME_INODE = 256


def handle_of(dir_fd: int, name: bytes) -> bytes:
    """The handle of an entry; of the link itself if it is one. OSError (ENOENT …) if it is gone."""
    return handle_and_mount(dir_fd, name)[0]


def handle_and_mount(dir_fd: int, name: bytes) -> tuple[bytes, int]:
    """:func:`handle_of`, and the id of the mount through which the entry is seen (see :func:`mount_of_fd`)."""
    require_component(name)
    handle, size, handle_at, mount_at, mount = _libc.BUFFERS.handle
    size.value = _HANDLE_MAX
    if _libc.name_to_handle_at(dir_fd, name, handle_at, mount_at, 0):
        return _stand_in(dir_fd, name), _libc.mount_of(dir_fd, name)
    return handle.raw[4 : 8 + size.value], mount.value


def handle_of_fd(fd: int) -> bytes:
    """The handle of an open object (opened by O_PATH will do)."""
    return handle_and_mount_of_fd(fd)[0]


def handle_and_mount_of_fd(fd: int) -> tuple[bytes, int]:
    """:func:`handle_of_fd`, and the mount through which it was opened."""
    handle, size, handle_at, mount_at, mount = _libc.BUFFERS.handle
    size.value = _HANDLE_MAX
    if _libc.name_to_handle_at_quick(fd, b"", handle_at, mount_at, _libc.AT_EMPTY_PATH):
        return _stand_in(fd, b""), _libc.mount_of(fd, b"")
    return handle.raw[4 : 8 + size.value], mount.value


def mount_of_fd(fd: int) -> int:
    """The id of the mount through which an object was opened: equal for everything below a directory but what is mounted
    there, bind mounts of the same filesystem and of single files included. It is told anew after the mount's end."""
    return handle_and_mount_of_fd(fd)[1]


def mount_of_path(path: str | bytes) -> int:
    """The same for what stands at a path; links in its last place are not followed. OSError when there is nothing."""
    return _libc.mount_of(_libc.AT_FDCWD, os.fsencode(path))


def is_mounted(fd: int, name: bytes) -> bool:
    """Whether something is mounted at an entry of an open directory; it is asked nothing."""
    try:
        return handle_and_mount(fd, name)[1] != mount_of_fd(fd)
    except OSError:
        return False


def is_directory(fd: int, name: bytes) -> bool:
    """Whether an entry of an open directory is one, or what is mounted there is, which is asked nothing. Nothing is none."""
    try:
        return S_ISDIR(_libc.stat_of(fd, name, as_remembered=True).mode)
    except OSError:
        return False


def stat_of_mounted(fd: int, name: bytes) -> os.stat_result:
    """The stat of what is mounted at an entry (of ``fd`` itself, O_PATH will do, when ``name`` is empty), as the kernel remembers
    it: who serves it may never answer."""
    found = _libc.stat_of(fd, name, as_remembered=True)
    head = found.mode, found.ino, found.device, 1, found.uid, found.gid, 0, 0, 0, 0
    return os.stat_result((*head, 0.0, found.mtime / 1e9, 0.0, 0, found.mtime, 0, 4096, 0, 0))


def is_same_stand_in(one: bytes, other: bytes) -> bool:
    """Whether two handles are stand-ins that differ in nothing but the device number, which another mount tells anew."""
    end = len(_STAND_IN) + _STAND_IN_FORM.size
    return one.startswith(_STAND_IN) and one[:end] == other[:end]


def _stand_in(fd: int, name: bytes) -> bytes:
    if ctypes.get_errno() not in _NO_HANDLES:
        raise _libc.failed(name)
    found = _libc.stat_of(fd, name, as_remembered=True)
    made = _STAND_IN + _STAND_IN_FORM.pack(found.ino, found.btime & 0xFFFFFFFFFFFFFFFF)
    if S_ISDIR(found.mode) or _libc.magic_of(fd) != _libc.OVERLAY_MAGIC:
        return made
    return made + _libc.U64.pack(found.device)


def names_stand_apart(fd: int) -> bool:
    """Whether the filesystem that ``fd`` stands on may show each name of a file as a file of its own, with all of its names
    counted: what a program or another machine serves by paths."""
    return _libc.magic_of(fd) in _BY_PATHS


def is_read_only_subvolume(fd: int) -> bool:
    """Whether an open directory is a btrfs subvolume that may not be written: a snapshot, as a rule."""
    flags = bytearray(8)
    try:
        if os.fstat(fd).st_ino != SUBVOLUME_INODE or _libc.magic_of(fd) != _libc.BTRFS_MAGIC:
            return False
        fcntl.ioctl(fd, _libc.BTRFS_IOC_SUBVOL_GETFLAGS, flags, True)
    except OSError:
        return False
    return bool(_libc.U64.unpack(flags)[0] & _libc.BTRFS_SUBVOL_RDONLY)


def open_by_handle(mount_fd: int, handle: bytes, flags: int) -> int:
    """Open an object by its handle; ``mount_fd`` is any open (not O_PATH) descriptor on its filesystem.

    The object may stand outside any dataset: look where it is before trusting it. O_CLOEXEC is added.
    OSError: EPERM without CAP_DAC_READ_SEARCH, ESTALE when the object is gone, EOPNOTSUPP for a stand-in."""
    if handle.startswith(_STAND_IN):
        raise OSError(errno.EOPNOTSUPP, "this filesystem gives no file handles")
    if not 4 < len(handle) <= 4 + _HANDLE_MAX:
        raise OSError(errno.EINVAL, "not a file handle")
    given = ctypes.create_string_buffer(struct.pack("=I", len(handle) - 4) + handle)
    fd = int(_libc.open_by_handle_at(mount_fd, ctypes.addressof(given), flags | os.O_CLOEXEC))
    if fd < 0:
        raise _libc.failed()
    return fd


def can_open_by_handle(mount_fd: int) -> bool:
    """Whether this process may open objects of this filesystem by handle (``mount_fd`` not by O_PATH)."""
    try:
        os.close(open_by_handle(mount_fd, handle_of_fd(mount_fd), os.O_PATH))
    except OSError:
        return False
    return True


def filesystem_magic(fd: int) -> int:
    """Which kind of filesystem an object is on (``f_type``, linux/magic.h)."""
    return _libc.magic_of(fd)


def filesystem_id(fd: int) -> bytes:
    """What tells this filesystem from others, also after a reboot, as opaque bytes.

    ``f_fsid`` of statfs, which ext4, btrfs and tmpfs make from their UUID. XFS makes it from the device number, which
    may change at boot, so there it is the UUID itself. Where there is neither: the device number."""
    if _libc.magic_of(fd) == _XFS_MAGIC:
        uuid = _libc.xfs_uuid(fd)
        if uuid is not None:
            return b"xfs:" + uuid
    fsid = os.fstatvfs(fd).f_fsid
    if fsid:
        return b"fsid" + _libc.U64.pack(fsid & 0xFFFFFFFFFFFFFFFF)
    return b"dev:" + _libc.U64.pack(os.fstat(fd).st_dev)
