"""What would a dataset's rules take and leave? A look at names alone, for an operator who writes patterns.

Nothing is opened but directories, and nothing is kept: the answer is as long as the tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from agent.capture.exclude import Rules
from agent.core.rows import PRIVATE_DIR


@dataclass(frozen=True, slots=True)
class Preview:
    """One name below the root. ``left``: it, and all below it, is left out; ``rule``: what decided so ("" where no rule does);
    ``bytes``: of a file, 0 for all else."""

    path: bytes
    is_dir: bool
    left: bool
    rule: str = ""
    bytes: int = 0


def previewed(root: bytes, rules: Rules, mounts: Collection[bytes] = ()) -> Iterator[Preview]:
    """Every name below ``root`` in the order of names, each directory before what is in it; ``mounts`` are absolute
    paths of mount points. A directory that cannot be read is left with the reason.

    Raises ``OSError`` where the root itself cannot be read."""
    levels = [(b"", _names(root))]
    while levels:
        above, entries = levels[-1]
        entry = next(entries, None)
        if entry is None:
            levels.pop()
            continue
        path = os.path.join(above, entry.name)
        if path == PRIVATE_DIR:
            continue
        one = _judged(path, entry, rules, mounts)
        if one.is_dir and not one.left:
            try:
                levels.append((path, _names(entry.path)))
            except OSError as error:
                one = Preview(path, True, True, f"cannot be read: {error.strerror}")
        yield one


def _names(directory: bytes) -> Iterator[os.DirEntry[bytes]]:
    with os.scandir(directory) as entries:
        return iter(sorted(entries, key=lambda one: one.name))


def _judged(path: bytes, entry: os.DirEntry[bytes], rules: Rules, mounts: Collection[bytes]) -> Preview:
    is_dir = entry.is_dir(follow_symlinks=False)
    left, rule = rules.decided(path, is_dir)
    if left:
        return Preview(path, is_dir, True, rule)
    if entry.path in mounts and not rules.included(path):
        return Preview(path, is_dir, True, "a mount of its own")
    if stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
        return Preview(path, False, True, "sockets are never replicated")
    size = entry.stat(follow_symlinks=False).st_size if entry.is_file(follow_symlinks=False) else 0
    return Preview(path, is_dir, False, rule, size)
