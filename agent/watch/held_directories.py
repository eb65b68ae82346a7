"""The directories in which hints wait, so that what is held below one is found without a look at the rest.

Pure functions over one dictionary: the path of a directory to what is held in it. With a directory stand all above it.
"""

from __future__ import annotations


class HeldDirectory:
    """What is held directly in a directory: ``entries`` with ENTRY, ``deep`` with more, ``inner``: child directories
    that have one of these too."""

    __slots__ = ("deep", "entries", "inner")

    def __init__(self) -> None:
        self.entries: set[bytes] = set()
        self.deep: set[bytes] = set()
        self.inner: set[bytes] = set()


def parent_of(path: bytes) -> bytes:
    """The path of the directory that a path lies in; the root's own is empty."""
    return path[: max(path.rfind(b"/"), 0)]


def depth_of(path: bytes) -> int:
    """How many names a path has."""
    return path.count(b"/") + 1 if path else 0


def open_directory(directories: dict[bytes, HeldDirectory], path: bytes) -> int:
    """Add the directory at ``path``, which is not there yet, and those above it that are missing; how many bytes their paths
    have."""
    directories[path] = HeldDirectory()
    added = len(path)
    while path:
        parent = parent_of(path)
        above = directories.get(parent)
        if above is not None:
            above.inner.add(path)
            break
        directories[parent] = above = HeldDirectory()
        added += len(parent)
        above.inner.add(path)
        path = parent
    return added


def close_directory(directories: dict[bytes, HeldDirectory], path: bytes) -> int:
    """Take away the directory at ``path``, in which nothing is held any more, and those above it that are empty then; how many
    bytes their paths have."""
    del directories[path]
    freed = len(path)
    while path:
        parent = parent_of(path)
        above = directories[parent]
        above.inner.discard(path)
        if above.entries or above.deep or above.inner:
            break
        del directories[parent]
        freed += len(parent)
        path = parent
    return freed


def held_below(directories: dict[bytes, HeldDirectory], path: bytes) -> list[bytes]:
    """Every held path below ``path``, which is one of the directories."""
    found: list[bytes] = []
    todo = [path]
    while todo:
        directory = directories[todo.pop()]
        found += directory.entries
        found += directory.deep
        todo += directory.inner
    return found
