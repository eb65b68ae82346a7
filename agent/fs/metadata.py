"""All metadata of an object: reading it, and making it so.

The order of applying is the kernel's doing: chown takes setuid, setgid and ``security.capability`` away, so it comes
first; then extended attributes, which an owner may write only while the file is writable, and of which an ACL carries
mode bits (its mask is the group's); then the mode, which so comes out as wanted; then mtime, and last the flags, which
forbid everything else. The access time is left as it is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from agent.core.rows import ObjectRow, Xattrs
from agent.fs import _libc
from agent.fs.component import require_component
from agent.fs.confined import clear_flags, open_pinned, set_flags_fd, set_flags_pinned
from agent.fs.xattrs import ACL_ACCESS, CAPABILITY, acl_of, apply_xattrs, read_xattrs

__all__ = [
    "Access",
    "Metadata",
    "access_of",
    "access_of_fd",
    "apply_metadata",
    "apply_metadata_fd",
    "clear_flags",
    "flags_of_fd",
    "read_metadata",
]

_FLAGGED = (stat.S_IFREG, stat.S_IFDIR)
_DEVICES = (stat.S_IFCHR, stat.S_IFBLK)
_NO_FLAGS = (errno.ENOTTY, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_DENIED = (errno.EPERM, errno.EACCES)
_FLAGS_DENIED = (*_DENIED, *_NO_FLAGS)
#: EINVAL: an owner that this user namespace does not map.
_CHOWN_DENIED = (*_DENIED, errno.EINVAL, errno.EOPNOTSUPP)


class Metadata(NamedTuple):
    """Fields as in ``core.rows.ObjectRow``: ``mtime`` ns, ``size`` of a regular file, ``rdev`` of a device, else 0."""

    mode: int
    uid: int
    gid: int
    mtime: int
    flags: int
    size: int
    rdev: int
    xattrs: Xattrs


def read_metadata(dir_fd: int, name: bytes, st: os.stat_result, fd: int | None) -> Metadata:
    """The metadata of an entry, whose ``st`` was taken without following.

    ``fd``: the object open for reading (not by O_PATH), where the caller has it: spares the way through ``/proc``. An
    empty ``name`` means ``fd`` itself. OSError if it is gone, or an extended attribute may not be read."""
    mode = st.st_mode
    kind = mode & 0o170000
    if fd is None:
        xattrs = read_xattrs(_entry_path(dir_fd, name), follow=False)
        flags = _libc.flags_of(dir_fd, name) if kind in _FLAGGED else 0
    else:
        xattrs = read_xattrs(fd, follow=True)
        flags = flags_of_fd(fd) if kind in _FLAGGED else 0
    return Metadata(
        mode,
        st.st_uid,
        st.st_gid,
        st.st_mtime_ns,
        flags,
        st.st_size if kind == stat.S_IFREG else 0,
        st.st_rdev if kind in _DEVICES else 0,
        xattrs,
    )


def _entry_path(dir_fd: int, name: bytes) -> bytes:
    require_component(name)
    return b"/proc/self/fd/%d/%s" % (dir_fd, name)


def flags_of_fd(fd: int) -> int:
    """FS_IMMUTABLE_FL and FS_APPEND_FL of an open file or directory (not by O_PATH); 0 where the filesystem has none."""
    raw = _libc.BUFFERS.flags
    try:
        fcntl.ioctl(fd, _libc.FS_IOC_GETFLAGS, raw, True)
    except OSError as error:
        if error.errno in _NO_FLAGS:
            return 0
        raise
    return raw[0] & _libc.FLAGS_KEPT


def apply_metadata(
    dir_fd: int, name: bytes, want: ObjectRow, have: ObjectRow | None, *, times: bool = True
) -> list[str]:
    """Make the metadata of an existing entry equal to ``want``; an empty name means ``dir_fd`` itself.

    Returns what was not permitted, or cannot be there: ``owner``, ``mode``, ``xattr NAME``, ``times``, ``flags``. The
    entry is pinned first, so all of it happens to one object. What one call tells (owner, mode, mtime, flags) is
    compared with the object itself; ``have``, what is believed to be there, only spares reading extended attributes.
    Without ``times`` mtime is left (a directory's comes when its entries are done). Immutable and append-only are
    lifted while something changes. OSError: EBADMSG when the entry is of another type than ``want``; whatever else
    fails."""
    if not name:
        return _apply_pinned(dir_fd, want, have, times)
    pinned = open_pinned(dir_fd, name)
    try:
        return _apply_pinned(pinned, want, have, times)
    finally:
        os.close(pinned)


def _apply_pinned(pinned: int, want: ObjectRow, have: ObjectRow | None, times: bool) -> list[str]:
    now = _libc.stat_of(pinned, b"")
    if now.mode & 0o170000 != want.kind:
        raise OSError(errno.EBADMSG, "an object of another type stands here")
    path = b"/proc/self/fd/%d" % pinned
    old = read_xattrs(path, follow=True) if have is None else have.xattrs
    mtime = want.mtime if times else now.mtime
    if _same(now, want, old, mtime):
        return []
    denied: list[str] = []
    if now.flags and not _permitted(_FLAGS_DENIED, set_flags_pinned, pinned, 0):
        denied.append("flags")
    denied += _apply_access(path, now, want, old)
    if now.mtime != mtime and not _permitted(_DENIED, _libc.set_mtime_path, path, mtime):
        denied.append("times")
    if want.flags and not _permitted(_FLAGS_DENIED, set_flags_pinned, pinned, want.flags):
        denied.append("flags")
    return list(dict.fromkeys(denied))


def _same(now: _libc.Stat, want: ObjectRow, old: Xattrs, mtime: int) -> bool:
    mode_same = now.mode == want.mode or want.kind == stat.S_IFLNK
    plain = now.uid == want.uid and now.gid == want.gid and now.mtime == mtime and now.flags == want.flags
    return mode_same and plain and old == want.xattrs


def _apply_access(path: bytes, now: _libc.Stat, want: ObjectRow, old: Xattrs) -> list[str]:
    """Owner, extended attributes and mode of a pinned object."""
    denied: list[str] = []
    chowned = now.uid != want.uid or now.gid != want.gid
    if chowned and not _permitted(_CHOWN_DENIED, os.chown, path, want.uid, want.gid):
        denied.append("owner")
    relisted = old != want.xattrs or (chowned and bool(want.xattrs))
    if relisted:
        _let_owner_write(path, now)
        denied += _spoken(apply_xattrs(path, want.xattrs, old, again=CAPABILITY if chowned else b""))
    if want.kind != stat.S_IFLNK and (chowned or relisted or now.mode != want.mode):
        mode = _harmless(want, denied)
        if not _permitted(_DENIED, os.chmod, path, mode):
            denied.append("mode")
    return denied


def _let_owner_write(path: bytes, now: _libc.Stat) -> None:
    """``user.*`` attributes need write access, which the owner of a read-only file has to give himself first; root
    has it."""
    if os.geteuid() and not now.mode & 0o200 and now.mode & 0o170000 in _FLAGGED:
        _permitted(_DENIED, os.chmod, path, now.mode & 0o7777 | 0o200)


def _harmless(want: ObjectRow, denied: list[str]) -> int:
    """The access bits; without setuid and setgid, saying so, for a program that could not be given to its owner."""
    mode = want.mode & 0o7777
    if "owner" in denied and mode & 0o6000 and want.kind == stat.S_IFREG:
        denied.append("mode")
        return mode & 0o1777
    return mode


def _spoken(refused: list[bytes]) -> list[str]:
    return ["xattr " + name.decode("utf-8", "backslashreplace") for name in refused]


def apply_metadata_fd(fd: int, want: ObjectRow) -> list[str]:
    """The fast way for a regular file that we just created and wrote, open for writing; returns as
    :func:`apply_metadata`.

    Believes nothing about owner and attributes: a setgid directory gives its group and a default ACL its entries to
    what is created in it; asking costs what setting does."""
    denied: list[str] = []
    try:
        os.fchown(fd, want.uid, want.gid)
    except OSError as error:
        if error.errno not in _CHOWN_DENIED:
            raise
        denied.append("owner")
    inherited = read_xattrs(fd, follow=True)
    if want.xattrs or inherited:
        denied += _spoken(apply_xattrs(fd, want.xattrs, inherited))
    os.fchmod(fd, _harmless(want, denied) if denied else want.mode & 0o7777)
    # Nobody has read the new file: its access time may be any.
    os.utime(fd, ns=(want.mtime, want.mtime))
    if want.flags and not _permitted(_FLAGS_DENIED, set_flags_fd, fd, want.flags):
        denied.append("flags")
    return denied


class Access(NamedTuple):
    """Who may read, write and run a file: owner, mode and access ACL."""

    uid: int
    gid: int
    mode: int
    acl: bytes


def access_of(row: ObjectRow) -> Access:
    """As a row has it."""
    return Access(row.uid, row.gid, row.mode, next((value for name, value in row.xattrs if name == ACL_ACCESS), b""))


def access_of_fd(fd: int) -> Access:
    """Of an open file as it stands."""
    now = os.fstat(fd)
    return Access(now.st_uid, now.st_gid, now.st_mode, acl_of(fd))


def _permitted(refusals: tuple[int, ...], action: Callable[..., object], *given: object) -> bool:
    """Do it; False if it was refused with one of these errno."""
    try:
        action(*given)
    except OSError as error:
        if error.errno in refusals:
            return False
        raise
    return True
