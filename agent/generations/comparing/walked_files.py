"""What differs between the files of two mounted filesystems, one an older state of the other.

An object that was not touched has its inode number, its times and its size, and is not read. A name is compared with the same
name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from agent.generations.comparing.change import ChangeKind

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Directories in directories that are gone into.
_DEEPEST = 200


class ChangedFile(NamedTuple):
    """``path``: from the filesystem's root; ``old``, ``new``: its stat at each moment, None where nothing stood there."""

    kind: ChangeKind
    path: bytes
    old: os.stat_result | None
    new: os.stat_result | None


def files_between(old: int, new: int, look: Callable[[], None]) -> Iterator[ChangedFile]:
    """By path, of two open roots, which stay the caller's. ``look`` is called for each directory, and raises what is to end it.
    OSError of what cannot be read."""
    yield from _between(old, new, b"", look, 0)


def _between(
    old: int | None, new: int | None, path: bytes, look: Callable[[], None], depth: int
) -> Iterator[ChangedFile]:
    look()
    was, now = _entries(old), _entries(new)
    for name in sorted(was.keys() | now.keys()):
        before, after, at = was.get(name), now.get(name), path + b"/" + name if path else name
        kind = _kind(before, after)
        if kind is not None:
            yield ChangedFile(kind, at, before, after)
        if depth < _DEEPEST:
            yield from _below((old, before), (new, after), name, at, look, depth)


def _kind(before: os.stat_result | None, after: os.stat_result | None) -> ChangeKind | None:
    if before is None:
        return ChangeKind.ADDED
    if after is None:
        return ChangeKind.DELETED
    if stat.S_ISDIR(before.st_mode) and stat.S_ISDIR(after.st_mode):
        # What was put into it and taken out is told by itself.
        return None if _access(before) == _access(after) else ChangeKind.CHANGED
    return None if _untouched(before) == _untouched(after) else ChangeKind.CHANGED


def _access(st: os.stat_result) -> tuple[int, ...]:
    return (st.st_mode, st.st_uid, st.st_gid)


def _untouched(st: os.stat_result) -> tuple[int, ...]:
    return (st.st_ino, st.st_mode, st.st_size, st.st_mtime_ns, st.st_ctime_ns)


def _below(
    old: tuple[int | None, os.stat_result | None],
    new: tuple[int | None, os.stat_result | None],
    name: bytes,
    path: bytes,
    look: Callable[[], None],
    depth: int,
) -> Iterator[ChangedFile]:
    opened = (_opened(*old, name), _opened(*new, name))
    try:
        if any(fd is not None for fd in opened):
            yield from _between(opened[0], opened[1], path, look, depth + 1)
    finally:
        for fd in opened:
            if fd is not None:
                os.close(fd)


def _opened(parent: int | None, st: os.stat_result | None, name: bytes) -> int | None:
    if parent is None or st is None or not stat.S_ISDIR(st.st_mode):
        return None
    return os.open(name, _DIRECTORY, dir_fd=parent)


def _entries(fd: int | None) -> dict[bytes, os.stat_result]:
    """What stands in an open directory, by name: one directory of each is in memory."""
    if fd is None:
        return {}
    return {name: os.stat(name, dir_fd=fd, follow_symlinks=False) for name in map(os.fsencode, os.listdir(fd))}
