"""Mounts that end with who made them, and taking one away, whoever still has something open in it."""

from __future__ import annotations

import ctypes
import os

from agent.fs._libc import LIBC

_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_NEW_MOUNTS = 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 1, 2, 4, 8, 16384, 1 << 18
#: Filesystems that are tried on a device, with the options that a copy needs.
_TRIED = {"ext4": "", "xfs": "nouuid", "btrfs": "", "vfat": ""}
#: There where the kernel gives the second of two btrfs of one identity another one for as long as it is mounted (Linux 6.7). An
#: older one takes both for one filesystem, and writes to either.
_TELLS_BTRFS_APART = "/sys/fs/btrfs/features/temp_fsid"


def mounts_of_its_own() -> None:
    """What this process mounts from now on is seen by it and its children alone, and ends with them. OSError."""
    _checked(LIBC.unshare(_NEW_MOUNTS))
    _checked(LIBC.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None))


def mount_to_read(device: str, where: str) -> str:
    """Mount a device's filesystem read-only, its journal played; which kind it is, "" where it has none that is tried. Another
    device of the same identity may be mounted beside it."""
    flags = ctypes.c_ulong(_MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    for kind, options in _TRIED.items():
        if kind == "btrfs" and not os.path.exists(_TELLS_BTRFS_APART):
            continue
        if LIBC.mount(os.fsencode(device), os.fsencode(where), kind.encode(), flags, options.encode()) == 0:
            return kind
    return ""


def _checked(code: int) -> None:
    if code:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unmount_at_once(path: str) -> bool:
    """Take away what is mounted at a path; whether anything was."""
    code: int = LIBC.umount2(os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW)
    return code == 0
