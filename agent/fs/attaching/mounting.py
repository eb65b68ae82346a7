"""Taking a mount away, whoever still has something open in it."""

from __future__ import annotations

import os

from agent.fs._libc import LIBC

_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8


def unmount_at_once(path: str) -> bool:
    """Take away what is mounted at a path; whether anything was."""
    code: int = LIBC.umount2(os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW)
    return code == 0
