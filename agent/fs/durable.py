"""Writes of our own state that survive a power cut, syncs, and what a filesystem's clock is worth.

Paths here are our own (the state directory), never a user's tree."""

from __future__ import annotations

import os

from agent.fs import _libc
from agent.fs.content import pwrite_all

_SECOND = 1_000_000_000

#: Kernels before 6.13 stamp times with the tick, up to 10 ms old (HZ=100); twice that is safe. Finer stamps of
#: later kernels do not help: they are taken only after someone looked, and not on every filesystem.
_DEFAULT_GRAIN_NS = 20_000_000

#: Filesystem magic (linux/magic.h) → grain. NFS, SMB and FUSE stamp by somebody else's clock and rules.
_GRAINS_NS = {
    0x4D44: 2 * _SECOND,  # vfat keeps even seconds
    0x2011BAB0: 2 * _SECOND,  # exfat
    0x482B: _SECOND,  # HFS+
    0x6969: _SECOND,  # NFS
    0x517B: 2 * _SECOND,  # SMB
    0xFE534D42: 2 * _SECOND,  # SMB2
    0xFF534D42: 2 * _SECOND,  # CIFS
    0x65735546: _SECOND,  # FUSE
}


#: tmpfs, ramfs, hugetlbfs: pages are never written back, so a store to mapped memory never moves a time (measured on Linux
#: 6.18), and no stat of a file that has bytes says that it did not change.
_SILENT = (0x01021994, 0x858458F6, 0x958458F6)


def write_durably(path: str, data: bytes, mode: int = 0o600) -> None:
    """Replace a file as a whole: after a power cut it is the old or the new one, and the new one once this returned.

    Writes ``path + ".new"`` first, so one writer a path. OSError leaves the old file in place."""
    new = path + ".new"
    _remove(new)
    try:
        _write_synced(new, data, mode)
        os.rename(new, path)
    except OSError:
        _remove(new)
        raise
    sync_dir(os.path.dirname(path) or ".")


def _write_synced(path: str, data: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, mode)
        pwrite_all(fd, data, 0)
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def sync_data(fd: int) -> None:
    """Make a file's content durable, and of its metadata what reading it takes."""
    os.fdatasync(fd)


def sync_dir(path: str) -> None:
    """Make what was created, renamed and removed in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_filesystem(fd: int) -> None:
    """Write out everything of the filesystem that ``fd`` stands on.

    OSError tells of any write error since ``fd`` was opened (Linux 5.8): so keep a descriptor from before the first
    write."""
    if _libc.syncfs(fd):
        raise _libc.failed()


def timestamp_grain_ns(fd: int) -> int:
    """How long two changes may carry the same timestamp on this filesystem, in ns, with room to spare.

    Old ext4 (and ext3) with 128-byte inodes keeps whole seconds and says so nowhere: a change time without a fraction,
    which nobody can set by hand, gives it away. Guessing it wrongly only costs reading something again."""
    grain = _GRAINS_NS.get(_libc.magic_of(fd), _DEFAULT_GRAIN_NS)
    if os.fstat(fd).st_ctime_ns % _SECOND == 0:
        return max(grain, _SECOND)
    return grain


def has_silent_stores(fd: int) -> bool:
    """Whether a file of this filesystem can change by stores to mapped memory while no time of it moves, synced or not."""
    return _libc.magic_of(fd) in _SILENT
