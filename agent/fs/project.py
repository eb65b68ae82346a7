"""Project ids: which quota a file counts for (XFS, ext4, f2fs). A directory can say that all in it must have its own.

Into such a directory nothing of another project can be renamed or linked (EXDEV, as if it were another filesystem)."""

from __future__ import annotations

import fcntl
import os
import stat
import struct

from agent.fs.confined import open_pinned

_FSGETXATTR, _FSSETXATTR = 0x801C581F, 0x401C5820
_PROJINHERIT = 0x200
#: struct fsxattr (linux/fs.h): xflags, extsize, nextents, projid, cowextsize, padding.
_FSXATTR = struct.Struct("=IIIII8x")


def give(dir_fd: int, name: bytes, directory: int) -> bool:
    """Give an entry of one of our own directories the project that the open ``directory`` asks of what stands in it; False
    where that cannot be done (links, devices; without the privilege)."""
    pinned = open_pinned(dir_fd, name)
    try:
        return give_pinned(pinned, directory)
    finally:
        os.close(pinned)


def give_pinned(pinned: int, directory: int) -> bool:
    """:func:`give` for an object that is open by O_PATH."""
    kind = stat.S_IFMT(os.fstat(pinned).st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        return False
    try:
        fd = os.open(b"/proc/self/fd/%d" % pinned, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            flags, _, _, project, _ = _read(directory)
            inherited = flags & _PROJINHERIT if kind == stat.S_IFDIR else 0
            return _write(fd, project, inherited)
        finally:
            os.close(fd)
    except OSError:
        return False


def let_in_all(directory: int) -> None:
    """Let files of any project be moved into a directory of our own, where it can be said."""
    try:
        flags, _, _, project, _ = _read(directory)
        if flags & _PROJINHERIT:
            _write(directory, project, 0)
    except OSError:
        return


def _read(fd: int) -> tuple[int, int, int, int, int]:
    raw = bytearray(_FSXATTR.size)
    fcntl.ioctl(fd, _FSGETXATTR, raw, True)
    flags, extent, extents, project, copied = _FSXATTR.unpack(raw)
    return flags, extent, extents, project, copied


def _write(fd: int, project: int, inherited: int) -> bool:
    """Whether it is another project now, or is handed on otherwise."""
    flags, extent, extents, had, copied = _read(fd)
    wanted = flags & ~_PROJINHERIT | inherited
    if (wanted, project) == (flags, had):
        return False
    fcntl.ioctl(fd, _FSSETXATTR, _FSXATTR.pack(wanted, extent, extents, project, copied))
    return True
