"""A tree that is removed whatever is in it: of any depth and breadth, in two descriptors and no recursion, by nobody's link.

What a program of the operator's left behind may be as deep as it likes: a walk that goes down as the tree does would end in the
middle."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str) -> None:
    """Remove a directory of our own and all below it. Directories are moved to its top one by one, and end there. What is left
    when it ends in the middle is a tree again. Raises ``OSError``."""
    top = os.open(path, _DIRECTORY)
    try:
        waiting = f"hikae-gone-{secrets.token_hex(8)}"
        os.mkdir(waiting, 0o700, dir_fd=top)
        held = os.open(waiting, _DIRECTORY, dir_fd=top)
        try:
            _empty_all(top, waiting, held)
        finally:
            os.close(held)
        os.rmdir(waiting, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(path)


def _empty_all(top: int, waiting: str, held: int) -> None:
    count = _emptied(top, held, 0, but=waiting)
    ended = 0
    while ended < count:
        name = str(ended)
        one = os.open(name, _DIRECTORY, dir_fd=held)
        try:
            count = _emptied(one, held, count)
        finally:
            os.close(one)
        os.rmdir(name, dir_fd=held)
        ended += 1


def _emptied(directory: int, held: int, count: int, but: str = "") -> int:
    """Nothing is left in the directory: what is no directory is gone, each other one stands in ``held`` under the next number.
    The number after those."""
    left = True
    while left:
        # What is removed while it is listed may hide what follows.
        left = False
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name == but:
                    continue
                left = True
                if stat.S_ISDIR(os.stat(entry.name, dir_fd=directory, follow_symlinks=False).st_mode):
                    os.rename(entry.name, str(count), src_dir_fd=directory, dst_dir_fd=held)
                    count += 1
                else:
                    with suppress(FileNotFoundError):
                        os.unlink(entry.name, dir_fd=directory)
    return count
