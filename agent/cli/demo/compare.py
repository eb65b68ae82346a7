"""An independent look at two trees: nothing of the code that made one from the other is used here."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, fields

from agent.status.text import shown

#: Ours, in a standby's root.
_PRIVATE = b".hikae"
_PRIVATE_XATTRS = (b"trusted.SGI_", b"trusted.overlay.")
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """What one name stands for. ``links``: all names of the same inode within the tree; ``content``: hash of a regular
    file's bytes, or a symlink's target."""

    type: int
    mode: int
    owner: tuple[int, int]
    mtime: int
    size: int
    device: int
    content: bytes
    links: tuple[bytes, ...]
    xattrs: tuple[tuple[bytes, bytes], ...]


def compare_trees(source: str, standby: str) -> list[str]:
    """Every difference in names, content and metadata as a line; an empty list when the trees are equal.

    Sockets are left out, and so is what lies on other filesystems below the source. Without root, owners and
    privileged attributes are left out too: only root can give them away."""
    privileged = os.geteuid() == 0
    left, right = _read(os.fsencode(source), privileged), _read(os.fsencode(standby), privileged)
    lines = []
    for path in sorted(left.keys() | right.keys()):
        what = _difference(left.get(path), right.get(path))
        if what:
            lines.append(f"{shown(path) or '.'}: {what}")
    return lines


def _difference(left: TreeEntry | None, right: TreeEntry | None) -> str:
    if left is None:
        return "only on the standby"
    if right is None:
        return "missing on the standby"
    names = [field.name for field in fields(TreeEntry) if getattr(left, field.name) != getattr(right, field.name)]
    return ", ".join(names)


def _read(root: bytes, privileged: bool) -> dict[bytes, TreeEntry]:
    stats = {os.path.relpath(path, root): info for path, info in _walk(root)}
    stats[b""] = stats.pop(b".")
    groups: dict[tuple[int, int], list[bytes]] = {}
    for path, info in sorted(stats.items()):
        if not stat.S_ISDIR(info.st_mode):
            groups.setdefault((info.st_dev, info.st_ino), []).append(path)
    return {
        path: _entry(os.path.join(root, path), info, tuple(groups.get((info.st_dev, info.st_ino), ())), privileged)
        for path, info in stats.items()
    }


def _walk(root: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    top = os.stat(root)
    yield root, top
    for directory, names, files in os.walk(root):
        if directory == root and _PRIVATE in names:
            names.remove(_PRIVATE)
        for name in [*names, *files]:
            path = os.path.join(directory, name)
            info = os.lstat(path)
            if info.st_dev != top.st_dev:
                if name in names:
                    names.remove(name)
            elif not stat.S_ISSOCK(info.st_mode):
                yield path, info


def _entry(path: bytes, info: os.stat_result, links: tuple[bytes, ...], privileged: bool) -> TreeEntry:
    regular = stat.S_ISREG(info.st_mode)
    return TreeEntry(
        type=stat.S_IFMT(info.st_mode),
        mode=stat.S_IMODE(info.st_mode),
        owner=(info.st_uid, info.st_gid) if privileged else (-1, -1),
        mtime=info.st_mtime_ns,
        size=info.st_size if regular else 0,
        device=info.st_rdev,
        content=_content(path, info),
        links=links,
        xattrs=_xattrs(path, privileged),
    )


def _content(path: bytes, info: os.stat_result) -> bytes:
    if stat.S_ISLNK(info.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(info.st_mode):
        return b""
    digest = hashlib.blake2b()
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.digest()


def _xattrs(path: bytes, privileged: bool) -> tuple[tuple[bytes, bytes], ...]:
    names = sorted(os.fsencode(name) for name in os.listxattr(path, follow_symlinks=False))
    if not privileged:
        names = [name for name in names if name.startswith((b"user.", b"system.posix_acl"))]
    return tuple(
        (name, os.getxattr(path, name, follow_symlinks=False)) for name in names if not name.startswith(_PRIVATE_XATTRS)
    )
