"""Operations on one entry of an open directory. None follows a link, none can leave the directory.

``dir_fd`` is an open directory, ``name`` a single component (else ``UnsafeName``). Whatever is planted or swapped while
a call runs, it acts on an entry of exactly that directory. Errors are ``OSError`` with the name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from agent.fs import _libc
from agent.fs.component import UnsafeName, require_component
from agent.fs.handles import mount_of_fd

__all__ = [
    "NO_NAMELESS",
    "OtherFilesystem",
    "StaleDirectory",
    "UnsafeName",
    "clear_flags",
    "create_file",
    "create_nameless",
    "exchange",
    "give_name",
    "link",
    "lstat",
    "make_dir",
    "make_node",
    "make_symlink",
    "open_dir",
    "open_file",
    "open_pinned",
    "open_root",
    "proc_path",
    "readlink",
    "rename",
    "rmdir",
    "set_flags_fd",
    "set_flags_pinned",
    "unlink",
]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_PINNED = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NAMELESS = os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC
_WITHIN_MOUNT = _libc.OpenHow(_DIRECTORY, 0, _libc.RESOLVE_NO_XDEV)
#: ENOSYS: before Linux 5.6; EPERM: seccomp filters that do not know openat2.
_NO_OPENAT2 = (errno.ENOSYS, errno.EPERM, errno.E2BIG)
#: What filesystems without nameless files say (open(2), O_TMPFILE), and processes without ``/proc``.
NO_NAMELESS = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)
_NO_RENAME_FLAGS = (errno.EINVAL, errno.ENOSYS)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV)


class OtherFilesystem(OSError):
    """A directory that something is mounted on: not crossed. errno is EXDEV."""


class StaleDirectory(OSError):
    """Another directory stands where the expected one was. errno is ESTALE."""


def open_root(path: str) -> int:
    """Open a dataset's root. The way to it may lead through links: the operator wrote it."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def open_dir(dir_fd: int, name: bytes) -> int:
    """Open a child directory for reading and as ``dir_fd``.

    NotADirectoryError for anything else, links included; ``OtherFilesystem`` for a mount point, bind mounts too. A btrfs
    subvolume is none."""
    require_component(name)
    try:
        return _libc.openat2(dir_fd, name, _WITHIN_MOUNT)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise OtherFilesystem(errno.EXDEV, "another filesystem is mounted here", name) from None
        if error.errno not in _NO_OPENAT2:
            raise
    fd = os.open(name, _DIRECTORY, dir_fd=dir_fd)
    if mount_of_fd(fd) != mount_of_fd(dir_fd):
        os.close(fd)
        raise OtherFilesystem(errno.EXDEV, "another filesystem is mounted here", name)
    return fd


def open_file(dir_fd: int, name: bytes, flags: int = os.O_RDONLY) -> int:
    """Open an existing file without following, waiting (fifos), becoming its terminal, or, where we may, touching its
    access time. The caller looks at its type with fstat: between two looks it can have become anything."""
    require_component(name)
    try:
        return os.open(name, flags | _FILE | os.O_NOATIME, dir_fd=dir_fd)
    except PermissionError:
        # O_NOATIME is for the owner and CAP_FOWNER only.
        return os.open(name, flags | _FILE, dir_fd=dir_fd)


def open_pinned(dir_fd: int, name: bytes) -> int:
    """An O_PATH descriptor of the entry itself, whatever its type: names the same object from now on, opens nothing."""
    require_component(name)
    return os.open(name, _PINNED, dir_fd=dir_fd)


def create_file(dir_fd: int, name: bytes, mode: int = 0o600) -> int:
    """A new empty file, open for reading and writing. FileExistsError if anything, even a dangling link, is there."""
    require_component(name)
    return os.open(name, _CREATE, mode, dir_fd=dir_fd)


def create_nameless(dir_fd: int, mode: int = 0o600) -> int:
    """A new empty file without a name, open for reading and writing, which is gone when it is closed unless
    :meth:`give_name` came first. OSError of ``NO_NAMELESS`` where the filesystem has none."""
    return os.open(b".", _NAMELESS, mode, dir_fd=dir_fd)


def give_name(fd: int, dir_fd: int, name: bytes) -> None:
    """The first name of a file that has none. FileExistsError if anything is there; ENOENT also without ``/proc``."""
    require_component(name)
    os.link(b"/proc/self/fd/%d" % fd, name, dst_dir_fd=dir_fd, follow_symlinks=True)


def make_dir(dir_fd: int, name: bytes, mode: int = 0o700) -> None:
    """A new directory. FileExistsError if anything is there."""
    require_component(name)
    os.mkdir(name, mode, dir_fd=dir_fd)


def make_symlink(dir_fd: int, name: bytes, target: bytes) -> None:
    """A new symlink; ``target`` is any bytes and is never looked at."""
    require_component(name)
    os.symlink(target, name, dir_fd=dir_fd)


def make_node(dir_fd: int, name: bytes, mode: int, rdev: int = 0) -> None:
    """A new fifo, or character or block device (EPERM without CAP_MKNOD); the type is taken from ``mode``, access is
    0600."""
    require_component(name)
    if stat.S_IFMT(mode) not in (stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK):
        raise OSError(errno.EINVAL, "neither a fifo nor a device", name)
    os.mknod(name, stat.S_IFMT(mode) | 0o600, rdev, dir_fd=dir_fd)


def link(src_fd: int, src: bytes, dst_fd: int, dst: bytes) -> None:
    """A further name for an object; for a symlink itself. FileExistsError if anything is there."""
    require_component(src)
    require_component(dst)
    os.link(src, dst, src_dir_fd=src_fd, dst_dir_fd=dst_fd, follow_symlinks=False)


def unlink(dir_fd: int, name: bytes) -> None:
    """Remove a name of anything but a directory (IsADirectoryError)."""
    require_component(name)
    os.unlink(name, dir_fd=dir_fd)


def rmdir(dir_fd: int, name: bytes) -> None:
    """Remove an empty directory."""
    require_component(name)
    os.rmdir(name, dir_fd=dir_fd)


def lstat(dir_fd: int, name: bytes) -> os.stat_result:
    """The stat of the entry itself."""
    require_component(name)
    return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)


def readlink(dir_fd: int, name: bytes) -> bytes:
    """The target of a symlink."""
    require_component(name)
    return os.readlink(name, dir_fd=dir_fd)


def rename(src_fd: int, src: bytes, dst_fd: int, dst: bytes, *, replace: bool) -> None:
    """Move an entry, in one step. With ``replace`` what stood at ``dst`` is gone (a directory only if empty);
    without, FileExistsError.

    Where the kernel or filesystem knows no ``RENAME_NOREPLACE``, links stand in; what cannot be linked (directories) is
    moved after a look, which leaves a moment in which an empty directory made by others would be replaced."""
    require_component(src)
    require_component(dst)
    if replace:
        os.rename(src, dst, src_dir_fd=src_fd, dst_dir_fd=dst_fd)
        return
    try:
        _libc.renameat2(src_fd, src, dst_fd, dst, _libc.RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in _NO_RENAME_FLAGS:
            raise
        _rename_by_link(src_fd, src, dst_fd, dst)


def _rename_by_link(src_fd: int, src: bytes, dst_fd: int, dst: bytes) -> None:
    try:
        os.link(src, dst, src_dir_fd=src_fd, dst_dir_fd=dst_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        os.unlink(src, dir_fd=src_fd)
        return
    if _stands(dst_fd, dst):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), src, None, dst)
    os.rename(src, dst, src_dir_fd=src_fd, dst_dir_fd=dst_fd)


def _stands(dir_fd: int, name: bytes) -> bool:
    try:
        os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def exchange(src_fd: int, src: bytes, dst_fd: int, dst: bytes) -> None:
    """Swap two entries, in one step. OSError EINVAL or ENOSYS where the filesystem or kernel cannot."""
    require_component(src)
    require_component(dst)
    _libc.renameat2(src_fd, src, dst_fd, dst, _libc.RENAME_EXCHANGE)


def proc_path(dir_fd: int, name: bytes) -> bytes:
    """A path for calls that take no ``dir_fd`` (the l*xattr family): use it only with those that do not follow its
    last component."""
    require_component(name)
    return b"/proc/self/fd/%d/%s" % (dir_fd, name)


def clear_flags(dir_fd: int, name: bytes) -> int:
    """Take immutable and append-only off a file or directory, so that it (or what stands in it) can be changed,
    renamed or removed.

    With an empty name: off ``dir_fd`` itself, whose flags keep its entries from changing. Returns the flags that were
    set, 0 for most objects (one call then). PermissionError without CAP_LINUX_IMMUTABLE."""
    if name:
        require_component(name)
    if not _libc.flags_of(dir_fd, name):
        return 0
    if not name:
        return set_flags_fd(dir_fd, 0)
    pinned = open_pinned(dir_fd, name)
    try:
        return set_flags_pinned(pinned, 0)
    finally:
        os.close(pinned)


def set_flags_pinned(pinned: int, flags: int) -> int:
    """:func:`set_flags_fd` for a descriptor opened by O_PATH. OSError EOPNOTSUPP for what is no file or directory:
    there the ioctl would speak to a driver."""
    if stat.S_IFMT(os.fstat(pinned).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
        raise OSError(errno.EOPNOTSUPP, "only files and directories have flags")
    fd = os.open(b"/proc/self/fd/%d" % pinned, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return set_flags_fd(fd, flags)
    finally:
        os.close(fd)


def set_flags_fd(fd: int, flags: int) -> int:
    """Make immutable and append-only of an open file or directory equal to ``flags``, leaving its other flags; what
    they were."""
    raw = bytearray(8)
    fcntl.ioctl(fd, _libc.FS_IOC_GETFLAGS, raw, True)
    (now,) = _libc.U32.unpack_from(raw)
    then = now & ~_libc.FLAGS_KEPT | flags & _libc.FLAGS_KEPT
    if then != now:
        _libc.U32.pack_into(raw, 0, then)
        fcntl.ioctl(fd, _libc.FS_IOC_SETFLAGS, bytes(raw))
    return int(now & _libc.FLAGS_KEPT)
