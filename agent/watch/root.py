"""A dataset's root: which directory it is, and whether it still stands where it stood."""

from __future__ import annotations

import os
from dataclasses import dataclass

from agent.fs.confined import open_root
from agent.fs.handles import handle_of_fd


@dataclass(frozen=True, slots=True)
class WatchedRoot:
    """Which directory a path led to: device, inode and handle."""

    device: int
    inode: int
    handle: bytes


def directory_at(path: str) -> WatchedRoot:
    """The directory that ``path`` leads to now. OSError when there is none."""
    fd = open_root(path)
    try:
        found = os.fstat(fd)
        return WatchedRoot(found.st_dev, found.st_ino, handle_of_fd(fd))
    finally:
        os.close(fd)


def reason_lost(path: str, expected: WatchedRoot) -> str | None:
    """Why ``path`` is no longer the directory that it was, for people; None when it is."""
    try:
        found = directory_at(path)
    except FileNotFoundError:
        return "the root directory is gone"
    except NotADirectoryError:
        return "the root is no directory any more"
    except OSError as error:
        return f"the root directory cannot be opened: {error.strerror}"
    if found.device != expected.device:
        return "the root directory is on another filesystem than before: something was mounted or unmounted there"
    return None if found == expected else "another directory stands in the root's place"
