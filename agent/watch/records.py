"""The kernel's fanotify interface: opening a group, and reading its records.

Layouts and numbers are those of ``linux/fanotify.h``. A record is ``struct fanotify_event_metadata`` (24 bytes, more in
some future), followed by info records ``type u8, pad u8, length u16, fsid 8, handle length u32, handle type i32, handle,
name, NULs``. A handle is kept as ``fs.handles`` has it: type and bytes as they stand here.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import struct
import termios
from typing import NamedTuple

from agent.fs._libc import call

MODIFY = 0x2
ATTRIB = 0x4
CLOSE_WRITE = 0x8
OPEN = 0x20
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
MOVE_SELF = 0x800
Q_OVERFLOW = 0x4000
RENAME = 0x1000_0000
ONDIR = 0x4000_0000

#: What FIONREAD counts for each queued record, whatever its length (fanotify_ioctl in the kernel).
QUEUED_SIZE = 24

_CLOEXEC, _NONBLOCK, _UNLIMITED_QUEUE = 0x1, 0x2, 0x10
_REPORT_FID, _REPORT_DIR_FID, _REPORT_NAME, _REPORT_TARGET_FID = 0x200, 0x400, 0x800, 0x1000
_BASIC = _CLOEXEC | _NONBLOCK | _REPORT_FID | _REPORT_DIR_FID | _REPORT_NAME
_MARK_ADD, _MARK_FILESYSTEM = 0x1, 0x100
_AT_FDCWD = -100

# CLOSE_WRITE because stores through a mapping raise no event, but closing such a file does, and linkers write so.
_MASK = CREATE | DELETE | MODIFY | ATTRIB | CLOSE_WRITE | ONDIR

_FID, _DFID_NAME, _DFID, _OLD_DFID_NAME, _NEW_DFID_NAME = 1, 2, 3, 10, 12
_METADATA = struct.Struct("=IBBHQii")
_INFO = struct.Struct("=BxH8xI")


class DecodedRecord(NamedTuple):
    """One record, decoded. Handles are empty where the record has none.

    ``directory``, ``name``: the entry that it is about (``name == b"."``: the directory itself), for a rename the old one;
    ``new_directory``, ``new_name``: where a rename led; ``handle``: of the object."""

    directory: bytes
    name: bytes
    new_directory: bytes
    new_name: bytes
    handle: bytes


def open_group(path: str, *, modern: bool = True) -> int:
    """A fanotify descriptor (not blocking, bounded queue) that reports every change on the filesystem of ``path``.

    ``modern``: with RENAME records and the handles of created and deleted objects (Linux 5.17). OSError: EPERM without
    CAP_SYS_ADMIN, ENOSYS, EINVAL (an older kernel), EXDEV, ENODEV or EOPNOTSUPP (a filesystem that cannot be marked),
    EMFILE (too many groups)."""
    report = _BASIC | (_REPORT_TARGET_FID if modern else 0)
    return _marked(path, report, _MASK | (RENAME if modern else MOVED_FROM | MOVED_TO))


def open_openings(path: str) -> int:
    """A fanotify descriptor (not blocking) that reports, by its handle, each object on the filesystem of ``path`` that is opened,
    gets another name (:data:`MOVE_SELF`) or one more (:data:`ATTRIB`). Its queue has no bound: what is opened comes in bursts
    that a busy reader meets late. OSError as :func:`open_group`."""
    report = _CLOEXEC | _NONBLOCK | _UNLIMITED_QUEUE | _REPORT_FID
    return _marked(path, report, OPEN | MOVE_SELF | ATTRIB | ONDIR)


def queued(fd: int) -> int:
    """How many records wait to be read."""
    found = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, found)
    return found[0] // QUEUED_SIZE


def _marked(path: str, report: int, mask: int) -> int:
    fd = call("fanotify_init", ctypes.c_uint(report), ctypes.c_uint(os.O_RDONLY))
    try:
        call(
            "fanotify_mark",
            ctypes.c_int(fd),
            ctypes.c_uint(_MARK_ADD | _MARK_FILESYSTEM),
            ctypes.c_uint64(mask),
            ctypes.c_int(_AT_FDCWD),
            ctypes.c_char_p(os.fsencode(path)),
        )
    except OSError:
        os.close(fd)
        raise
    return fd


def gather(buffer: bytes, own: frozenset[int]) -> tuple[int, dict[bytes, int], int]:
    """How many records one read brought, and their masks by their info bytes, in the order of the first of each.

    Equal ones (same directory, name and object) are merged. Those that processes in ``own`` caused are left out: last comes what
    these did to directories, their masks as one. An overflow stands under ``b""``."""
    masks: dict[bytes, int] = {}
    done = 0
    unpack, count, at, end = _METADATA.unpack_from, 0, 0, len(buffer)
    while at < end:
        length, _, _, head, mask, _, pid = unpack(buffer, at)
        count += 1
        if pid not in own:
            info = buffer[at + head : at + length]
            masks[info] = masks.get(info, 0) | mask
            if mask & Q_OVERFLOW:
                masks[b""] = Q_OVERFLOW
        elif mask & ONDIR:
            done |= mask
        at += length
    return count, masks, done


def decode_record(info: bytes) -> DecodedRecord:
    """What the info bytes of one record say. Records of unknown type are passed over."""
    directory = name = new_directory = new_name = handle = b""
    at, end = 0, len(info)
    while at < end:
        kind, length, size = _INFO.unpack_from(info, at)
        tail = at + 20 + size
        here = info[at + 16 : tail]
        if kind == _FID:
            handle = here
        elif kind in (_DFID_NAME, _OLD_DFID_NAME):
            directory, name = here, info[tail : at + length].rstrip(b"\0")
        elif kind == _NEW_DFID_NAME:
            new_directory, new_name = here, info[tail : at + length].rstrip(b"\0")
        elif kind == _DFID:
            directory, name = here, b"."
        at += length
    return DecodedRecord(directory, name, new_directory, new_name, handle)
