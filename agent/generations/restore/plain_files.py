"""Files of one chunk or none and without attributes, in a directory in which nobody else can put anything: most of what a
restore makes, in as few calls as will do.

A file without a name shows what a directory gives to what is created in it: owner, and attributes that are inherited. Where there
are none of these, a file is created with its mode, written, dated and closed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from agent.core.chunks import one_chunk
from agent.core.rows import OBJECT_HEAD_SIZE, PLAIN_FILE_SIZE, ObjectRow, decode_object
from agent.fs.component import require_component
from agent.fs.confined import create_nameless
from agent.fs.xattrs import read_xattrs

#: The bytes of many chunks by name, as far as they are at hand, checked.
ReadMany: TypeAlias = Callable[[Sequence[bytes]], dict[bytes, bytes | memoryview]]
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SPECIAL_BITS = 0o7000


class PlainFile(NamedTuple):
    """A file to be made. ``chunk``: the name of its only chunk, b"" for none."""

    name: bytes
    row: ObjectRow
    chunk: bytes


class Created(NamedTuple):
    """What is created in a directory gets by itself."""

    uid: int
    gid: int


def plain_file(name: bytes, raw: bytes) -> PlainFile | None:
    """The entry, where it is such a file."""
    if len(raw) not in (PLAIN_FILE_SIZE, OBJECT_HEAD_SIZE):
        return None
    row = decode_object(raw)
    if (
        row.kind != stat.S_IFREG
        or row.flags
        or row.xattrs
        or row.mode & _SPECIAL_BITS
        or bool(row.size) != bool(row.content)
    ):
        return None
    return PlainFile(name, row, one_chunk(row.content)[2] if row.size else b"")


def created_in(fd: int) -> Created | None:
    """What a file gets that is created in an open directory; None where that cannot be seen, or is more than an owner."""
    try:
        probe = create_nameless(fd)
    except OSError:
        return None
    try:
        st = os.fstat(probe)
        return None if read_xattrs(probe, follow=True) else Created(st.st_uid, st.st_gid)
    finally:
        os.close(probe)


def make_plain(fd: int, file: PlainFile, data: bytes | memoryview, created: Created) -> None:
    """Make one file of a restore. The process's umask must be 0. OSError; nothing stands there then that was not there before."""
    name, row = file.name, file.row
    require_component(name)
    made = os.open(name, _CREATE, row.mode & 0o777, dir_fd=fd)
    try:
        if data and os.write(made, data) != len(data):
            raise OSError("the disk took less than all")
        if row.uid != created.uid or row.gid != created.gid:
            os.fchown(made, row.uid, row.gid)
        os.utime(made, ns=(row.mtime, row.mtime))
    except BaseException:
        os.unlink(name, dir_fd=fd)
        raise
    finally:
        os.close(made)
