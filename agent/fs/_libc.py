"""The C library, bound once. Private to ``agent.fs``.

``LIBC`` releases the interpreter lock during a call. ``QUICK`` keeps it, for calls on an open descriptor that never
wait for a disk: giving the lock away there costs more than the call, up to a switch interval when threads are busy.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import struct
import threading
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_long, c_longlong, c_uint, c_void_p
from typing import NamedTuple, cast

LIBC = ctypes.CDLL(None, use_errno=True)
QUICK = ctypes.PyDLL(None, use_errno=True)

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_STATX_DONT_SYNC = 0x4000
AT_EMPTY_PATH = 0x1000

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2

FALLOC_FL_KEEP_SIZE = 1
FALLOC_FL_PUNCH_HOLE = 2

RESOLVE_NO_XDEV = 0x01

UTIME_OMIT = (1 << 30) - 2

FS_IOC_GETFLAGS = 0x80086601
FS_IOC_SETFLAGS = 0x40086602
FICLONE = 0x40049409
#: FS_IMMUTABLE_FL | FS_APPEND_FL; STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND are the same bits.
FLAGS_KEPT = 0x30
#: _IOR('X', 100, struct xfs_fsop_geom_v1): 112 bytes with the UUID at 64 (xfs_fs.h).
XFS_IOC_FSGEOMETRY_V1 = 0x80705864

#: Which filesystem an object stands on (statfs(2)): f_type.
OVERLAY_MAGIC = 0x794C7630
BTRFS_MAGIC = 0x9123683E
#: _IOR(0x94, 25, __u64): the flags of a subvolume (btrfs.h); of these, that it may not be written.
BTRFS_IOC_SUBVOL_GETFLAGS = 0x80089419
BTRFS_SUBVOL_RDONLY = 2

_STATX_BASIC_AND_BTIME = 0x0FFF
_STATX_BTIME = 0x0800
_STATX_MNT_ID = 0x1000

#: The kernel's numbers for renameat2, for C libraries that do not bind it.
_RENAMEAT2 = {"x86_64": 316, "aarch64": 276, "riscv64": 276, "armv7l": 382, "i686": 353, "ppc64le": 357, "s390x": 347}
#: The same on every architecture (the table was unified before openat2 came).
_OPENAT2 = 437

name_to_handle_at = LIBC.name_to_handle_at
name_to_handle_at.argtypes = (c_int, c_char_p, c_void_p, c_void_p, c_int)
name_to_handle_at_quick = QUICK.name_to_handle_at
name_to_handle_at_quick.argtypes = (c_int, c_char_p, c_void_p, c_void_p, c_int)
open_by_handle_at = LIBC.open_by_handle_at
open_by_handle_at.argtypes = (c_int, c_void_p, c_int)
syncfs = LIBC.syncfs
syncfs.argtypes = (c_int,)
fallocate = LIBC.fallocate64 if hasattr(LIBC, "fallocate64") else LIBC.fallocate
fallocate.argtypes = (c_int, c_int, c_longlong, c_longlong)
_statx = LIBC.statx
_statx.argtypes = (c_int, c_char_p, c_int, c_uint, c_void_p)
_utimensat = LIBC.utimensat
_utimensat.argtypes = (c_int, c_char_p, c_void_p, c_int)
_fstatfs = LIBC.fstatfs
_fstatfs.argtypes = (c_int, c_void_p)
syscall = LIBC.syscall
syscall.restype = c_long

U32 = struct.Struct("=I")
U64 = struct.Struct("=Q")
_IDS = struct.Struct("=IIH")
_TIME = struct.Struct("=qI")
_TIMES = struct.Struct("@4l")
_LONG = struct.Struct("@l")
_SECOND = 1_000_000_000


def failed(name: bytes | None = None) -> OSError:
    """The OSError (of the right subclass) for the call that just failed."""
    number = ctypes.get_errno()
    if name is None:
        return OSError(number, os.strerror(number))
    return OSError(number, os.strerror(number), name)


def call(name: str, *arguments: object) -> int:
    """A call of the C library by its name; ``OSError`` where it fails, ENOSYS where an old library lacks it."""
    if not hasattr(LIBC, name):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    result = int(getattr(LIBC, name)(*arguments))
    if result < 0:
        raise failed()
    return result


class Stat(NamedTuple):
    """What statx says beyond ``os.stat``: ``flags`` are FS_IMMUTABLE_FL | FS_APPEND_FL (the same bits as statx
    attributes), ``btime`` ns or 0 where the filesystem keeps no birth time, ``mtime`` ns,
    ``device`` like ``st_dev``."""

    mode: int
    uid: int
    gid: int
    ino: int
    mtime: int
    btime: int
    flags: int
    device: int


class Buffers(threading.local):
    """Memory that the kernel fills, one set a thread, so that a call allocates nothing.

    ``handle``: a struct file_handle, its length, its address, and the address of a mount id, which comes last.
    """

    def __init__(self) -> None:
        self._handle = ctypes.create_string_buffer(8 + 128)
        self._mount = c_int()
        self.handle = (
            self._handle,
            ctypes.c_uint32.from_buffer(self._handle),
            ctypes.addressof(self._handle),
            ctypes.addressof(self._mount),
            self._mount,
        )
        self.statx = ctypes.create_string_buffer(256)
        self.statx_at = ctypes.addressof(self.statx)
        self.times = ctypes.create_string_buffer(_TIMES.size)
        self.times_at = ctypes.addressof(self.times)
        self.flags = bytearray(8)


BUFFERS = Buffers()


def stat_of(dir_fd: int, name: bytes, *, as_remembered: bool = False) -> Stat:
    """statx of an entry, not following; of ``dir_fd`` itself (O_PATH will do) when ``name`` is empty. ``as_remembered``: by what
    the kernel knows, where it would have to ask a program or another machine, which may never answer."""
    raw = _look(dir_fd, name, asks=AT_STATX_DONT_SYNC if as_remembered else 0)
    uid, gid, mode = _IDS.unpack_from(raw, 20)
    (attributes,) = U64.unpack_from(raw, 8)
    (ino,) = U64.unpack_from(raw, 32)
    born = _nanoseconds(raw, 80) if U32.unpack_from(raw)[0] & _STATX_BTIME else 0
    (device,) = U64.unpack_from(raw, 136)
    return Stat(mode, uid, gid, ino, _nanoseconds(raw, 112), born, attributes & FLAGS_KEPT, device)


def flags_of(dir_fd: int, name: bytes) -> int:
    """``Stat.flags`` alone. 0 where the filesystem knows no flags."""
    return int(U64.unpack_from(_look(dir_fd, name), 8)[0]) & FLAGS_KEPT


def mount_of(dir_fd: int, name: bytes) -> int:
    """The id of the mount through which an entry is seen (not following; ``dir_fd`` itself when ``name`` is empty), as
    name_to_handle_at(2) tells it; 0 before Linux 5.8."""
    raw = _look(dir_fd, name, _STATX_MNT_ID, AT_STATX_DONT_SYNC)
    return int(U64.unpack_from(raw, 144)[0]) if U32.unpack_from(raw)[0] & _STATX_MNT_ID else 0


def _look(dir_fd: int, name: bytes, mask: int = _STATX_BASIC_AND_BTIME, asks: int = 0) -> ctypes.Array[ctypes.c_char]:
    own = BUFFERS
    flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | asks
    if _statx(dir_fd, name, flags, mask, own.statx_at):
        raise failed(name)
    return own.statx


def _nanoseconds(raw: ctypes.Array[ctypes.c_char], at: int) -> int:
    seconds, nanoseconds = _TIME.unpack_from(raw, at)
    return int(seconds * _SECOND + nanoseconds)


def set_mtime_path(path: bytes, mtime: int) -> None:
    """Set the modification time (ns) and leave the access time, by a ``/proc/self/fd/N`` path, which is how a descriptor opened
    by O_PATH is reached."""
    own = BUFFERS
    _TIMES.pack_into(own.times, 0, 0, UTIME_OMIT, mtime // _SECOND, mtime % _SECOND)
    if _utimensat(AT_FDCWD, path, own.times_at, 0):
        raise failed(path)


def renameat2(src_fd: int, src: bytes, dst_fd: int, dst: bytes, flags: int) -> None:
    """renameat2(2). OSError ENOSYS where neither the C library nor the kernel has it."""
    if _renameat2(src_fd, src, dst_fd, dst, flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), src, None, dst)


def _find_renameat2() -> Callable[..., int]:
    if hasattr(LIBC, "renameat2"):
        found = LIBC.renameat2
        found.argtypes = (c_int, c_char_p, c_int, c_char_p, c_uint)
        return cast("Callable[..., int]", found)
    number = _RENAMEAT2.get(platform.machine())
    if number is None:
        return _no_renameat2
    return lambda *given: syscall(
        c_long(number), c_int(given[0]), c_char_p(given[1]), c_int(given[2]), c_char_p(given[3]), c_uint(given[4])
    )


def _no_renameat2(*_: object) -> int:
    ctypes.set_errno(errno.ENOSYS)
    return -1


_renameat2 = _find_renameat2()


class OpenHow(ctypes.Structure):
    """struct open_how of openat2(2)."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_OPENAT2_NUMBER = c_long(_OPENAT2)
_OPEN_HOW_SIZE = ctypes.c_size_t(ctypes.sizeof(OpenHow))


def openat2(dir_fd: int, name: bytes, how: OpenHow) -> int:
    """openat2(2), Linux 5.6. ``how`` may be shared between threads: the kernel only reads it."""
    fd = int(syscall(_OPENAT2_NUMBER, c_int(dir_fd), c_char_p(name), ctypes.byref(how), _OPEN_HOW_SIZE))
    if fd < 0:
        raise failed(name)
    return fd


def magic_of(fd: int) -> int:
    """The magic number of the filesystem that ``fd`` stands on (linux/magic.h)."""
    raw = ctypes.create_string_buffer(256)
    if _fstatfs(fd, ctypes.addressof(raw)):
        raise failed()
    return int(_LONG.unpack_from(raw)[0]) & 0xFFFFFFFF


def xfs_uuid(fd: int) -> bytes | None:
    """The UUID of the XFS that ``fd`` stands on; None where it will not say."""
    raw = bytearray(112)
    try:
        fcntl.ioctl(fd, XFS_IOC_FSGEOMETRY_V1, raw, True)
    except OSError:
        return None
    return bytes(raw[64:80])
