"""Objects of one commit, found in the tree: by their handle wherever they were moved, else by the paths that they had."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeAlias

from agent.adopt.first_reading import open_below
from agent.core.ids import CommitNumber, ObjectId
from agent.fs.confined import open_file, open_root
from agent.fs.content import read_exact
from agent.fs.handles import open_by_handle
from agent.store.catalog.reader import CatalogReader
from agent.store.local import Local

#: ``(offset, length)`` of an object's content to bytes, fewer at its end; OSError.
ReadRange: TypeAlias = Callable[[int, int], bytes]
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


class TreeObjects:
    """For one thread, like ``rows``. ``root``: the tree; ``commit``: by whose paths they are looked for, and by those of now."""

    def __init__(self, root: str, rows: CatalogReader, local: Local, commit: CommitNumber) -> None:
        self._root = root
        self._rows = rows
        self._local = local
        self._commit = commit

    @contextmanager
    def opened(self, id: ObjectId) -> Iterator[ReadRange | None]:
        """What reads the file, None where it is not to be found. What it holds is believed by names of chunks alone."""
        fd = self._open(id)
        try:
            yield partial(read_exact, fd) if fd is not None else None
        finally:
            if fd is not None:
                os.close(fd)

    def _open(self, id: ObjectId) -> int | None:
        try:
            root = open_root(self._root)
        except OSError:
            return None
        try:
            found = self._by_handle(root, id)
            return found if found is not None else self._by_path(root, id)
        finally:
            os.close(root)

    def _by_handle(self, root: int, id: ObjectId) -> int | None:
        row = self._local.get(id)
        if row is None or not row.handle:
            return None
        with suppress(OSError):
            return _regular(open_by_handle(root, row.handle, _OPEN))
        return None

    def _by_path(self, root: int, id: ObjectId) -> int | None:
        for at in (self._commit, None):
            path = self._rows.path_of(id, at)
            if path:
                with suppress(OSError):
                    return _at(root, path)
        return None


def _at(root: int, path: bytes) -> int | None:
    directory, _, name = path.rpartition(b"/")
    fd = open_below(root, directory)
    try:
        return _regular(open_file(fd, name))
    finally:
        os.close(fd)


def _regular(fd: int) -> int | None:
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None
