"""Bytes that a peer asks for, read again from the tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence

from agent.capture.outlet import ChunkRef
from agent.core.chunks import PIECE, name_of
from agent.core.ids import ObjectId
from agent.fs.confined import DirTree, open_file, open_root
from agent.fs.content import read_exact
from agent.store.catalog import CatalogReader


class TreeSource:
    """Reads chunks by where they stood. For one thread, like the reader, which it takes over; ``close`` closes both.

    What changed since is not there any more: the name decides, so it does not matter which file the bytes came from.
    Directories stay open, and each under the object that it was opened for; when two were exchanged, or one replaced, before
    the catalog said so, that was another one. So what is not found by them is looked for again from the root, by the names of
    now, and if that leads elsewhere, all that was open is let go. This holds on any filesystem, also where no handle tells
    objects apart. ``looked`` is called between each look into the catalog and what is opened by it: tests are slow there."""

    def __init__(self, path: str, reader: CatalogReader, looked: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._reader = reader
        self._looked = looked
        self._way: _Way | None = None

    def read(self, refs: Sequence[ChunkRef]) -> list[bytes | None]:
        """For each reference its bytes, or None where they are not to be had: changed, gone, unreadable."""
        found: list[bytes | None] = [None] * len(refs)
        files: dict[ObjectId, list[int]] = {}
        for index, ref in enumerate(refs):
            if ref.kind == PIECE:
                found[index] = self._reader.piece(ref.name)
            else:
                files.setdefault(ref.object, []).append(index)
        for id, indexes in files.items():
            self._read_file(id, indexes, refs, found)
        return found

    def close(self) -> None:
        """Close every descriptor and the reader; safe to call twice."""
        self._forget_way()
        self._reader.close()

    def _read_file(self, id: ObjectId, indexes: list[int], refs: Sequence[ChunkRef], found: list[bytes | None]) -> None:
        fresh = self._way is None
        seen = self._read_by(self._known_way(), id, indexes, refs, found)
        if fresh or all(found[index] is not None for index in indexes):
            return
        way = _Way(self._path, self._reader, self._looked)
        again = self._read_by(way, id, indexes, refs, found, than=seen)
        if again == seen:
            way.close()
        else:
            self._forget_way()
            self._way = way

    @staticmethod
    def _read_by(
        way: _Way,
        id: ObjectId,
        indexes: list[int],
        refs: Sequence[ChunkRef],
        found: list[bytes | None],
        than: tuple[int, int] | None = None,
    ) -> tuple[int, int] | None:
        """Read what is lacking, if another file than ``than`` stands there; device and inode number of the one that does."""
        try:
            fd = way.open(id)
        except OSError:
            return None
        if fd is None:
            return None
        try:
            st = os.fstat(fd)
            if (st.st_dev, st.st_ino) != than:
                for index in indexes:
                    data = read_exact(fd, refs[index].offset, refs[index].length)
                    if name_of(data) == refs[index].name:
                        found[index] = data
            return st.st_dev, st.st_ino
        except OSError:
            return None
        finally:
            os.close(fd)

    def _known_way(self) -> _Way:
        if self._way is None:
            self._way = _Way(self._path, self._reader, self._looked)
        return self._way

    def _forget_way(self) -> None:
        if self._way is not None:
            self._way.close()
            self._way = None


class _Way:
    """From the root to files, by the names that the catalog has now; directories that were passed stay open."""

    def __init__(self, path: str, reader: CatalogReader, looked: Callable[[], None]) -> None:
        self._path = path
        self._reader = reader
        self._looked = looked
        self._root_fd: int | None = None
        self._tree: DirTree | None = None

    def open(self, id: ObjectId) -> int | None:
        """The file at the object's first name; None when that is none, or not a regular one. OSError."""
        located = self._locate(id)
        if located is None:
            return None
        parent, name = located
        fd = open_file(self._open_tree().fd(parent), name)
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
        return None

    def close(self) -> None:
        """Close every descriptor."""
        if self._tree is not None:
            self._tree.close()
            self._tree = None
        if self._root_fd is not None:
            os.close(self._root_fd)
            self._root_fd = None

    def _open_tree(self) -> DirTree:
        if self._tree is None:
            self._root_fd = open_root(self._path)
            self._tree = DirTree(self._root_fd, self._locate)
        return self._tree

    def _locate(self, id: ObjectId) -> tuple[ObjectId, bytes] | None:
        names = self._reader.names_of(id)
        self._looked()
        return names[0] if names else None
