"""Content of open files: segments, holes, exact reads and writes, clones. Offsets and lengths in bytes."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable

from agent.fs import _libc

_NO_HOLES = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY)
_NO_CLONES = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM, errno.ETXTBSY)
_NO_PUNCH = (errno.EOPNOTSUPP, errno.ENOSYS)
#: XFS, btrfs, bcachefs, OCFS2 (linux/magic.h).
_CLONING = (0x58465342, 0x9123683E, 0xCA451A4E, 0x7461636F)
_ZEROS = bytes(1 << 20)
#: No filesystem has larger blocks.
_BLOCK = 64 << 10

Segment = tuple[bool, int, int]


def segments(fd: int, size: int) -> list[Segment]:
    """``(is_data, offset, length)`` in order, covering ``[0, size)`` without gaps; one seek when there is no hole.

    Holes are what the filesystem reports as such; where it reports none all is data. A file that is truncated
    meanwhile seems to end in a hole: whoever compares its stat before and after will see that. Moves the
    descriptor's own position; reads here are all positioned."""
    if not size:
        return []
    try:
        ends_at = os.lseek(fd, 0, os.SEEK_HOLE)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return [(False, 0, size)]
        if error.errno in _NO_HOLES:
            return [(True, 0, size)]
        raise
    if ends_at >= size:
        return [(True, 0, size)]
    found = [(True, 0, ends_at)] if ends_at else []
    return found + _rest(fd, ends_at, size)


def first_hole(fd: int) -> int:
    """Where the first hole of a file begins: at its end when it has none; 0 when that is to be found out otherwise."""
    try:
        return os.lseek(fd, 0, os.SEEK_HOLE)
    except OSError:
        return 0


def next_data(fd: int, offset: int) -> int:
    """Where what is no hole of a file goes on, at or behind ``offset``; its length where only holes follow; ``offset`` where the
    filesystem tells of none. OSError."""
    try:
        return os.lseek(fd, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return os.fstat(fd).st_size
        if error.errno in _NO_HOLES:
            return offset
        raise


def _rest(fd: int, at: int, size: int) -> list[Segment]:
    """From ``at``, which stands in a hole, to the end."""
    found: list[Segment] = []
    while at < size:
        data = min(_seek(fd, at, os.SEEK_DATA, size), size)
        if data > at:
            found.append((False, at, data - at))
        if data >= size:
            break
        at = min(_seek(fd, data, os.SEEK_HOLE, data), size)
        if at <= data:
            # The file ended below us: what was data a moment ago is gone.
            found.append((False, data, size - data))
            break
        found.append((True, data, at - data))
    return found


def _seek(fd: int, at: int, whence: int, past_end: int) -> int:
    try:
        return os.lseek(fd, at, whence)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return past_end
        raise


def read_exact(fd: int, offset: int, length: int, pread: Callable[[int, int, int], bytes] = os.pread) -> bytes:
    """``length`` bytes from ``offset``; fewer only where the file ends."""
    data = pread(fd, length, offset)
    if len(data) == length or not data:
        return data
    parts = [data]
    got = len(data)
    while got < length:
        data = pread(fd, length - got, offset + got)
        if not data:
            break
        parts.append(data)
        got += len(data)
    return b"".join(parts)


def pwrite_all(fd: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    """Write all of ``data`` at ``offset``. OSError (ENOSPC …) may leave a part of it written."""
    written = os.pwrite(fd, data, offset)
    if written == len(data):
        return
    rest = memoryview(data)
    while written < len(rest):
        written += os.pwrite(fd, rest[written:], offset + written)


def punch(fd: int, offset: int, length: int) -> bool:
    """Make a range read as zeros without changing the file's size; whether it takes no room now.

    Where the filesystem cannot make holes, zeros are written over what the file has there."""
    if length <= 0:
        return True
    mode = _libc.FALLOC_FL_PUNCH_HOLE | _libc.FALLOC_FL_KEEP_SIZE
    # Only whole blocks become holes. A range that ends with the file goes on to the end of its last block.
    whole = length + _BLOCK if offset + length >= os.fstat(fd).st_size else length
    while _libc.fallocate(fd, mode, offset, whole):
        number = ctypes.get_errno()
        if number == errno.EINTR:
            continue
        if number not in _NO_PUNCH:
            raise OSError(number, os.strerror(number))
        _write_zeros(fd, offset, min(offset + length, os.fstat(fd).st_size))
        return False
    return True


def _write_zeros(fd: int, at: int, end: int) -> None:
    zeros = memoryview(_ZEROS)
    while at < end:
        piece = zeros[: min(len(zeros), end - at)]
        pwrite_all(fd, piece, at)
        at += len(piece)


def can_reflink(fd: int) -> bool:
    """Whether :meth:`reflink` is worth a try on this filesystem."""
    return _libc.magic_of(fd) in _CLONING


def reflink(src_fd: int, dst_fd: int) -> bool:
    """Make ``dst`` share all content of ``src``, taking its size; False where the filesystem cannot (nothing
    changed)."""
    try:
        fcntl.ioctl(dst_fd, _libc.FICLONE, src_fd)
    except OSError as error:
        if error.errno in _NO_CLONES:
            return False
        raise
    return True
