"""Bytes that a peer asks for, read again from the tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from agent.capture.outlet import ChunkRef
from agent.core.chunks import PIECE, name_of
from agent.core.ids import ObjectId
from agent.fs.confined import DirTree, open_file, open_root
from agent.fs.content import read_exact
from agent.store.catalog import CatalogReader


class TreeSource:
    """Reads chunks by where they stood. For one thread, like the reader, which it takes over; ``close`` closes both.

    What changed since is not there any more: the name decides, so it does not matter which file the bytes came from."""

    def __init__(self, path: str, reader: CatalogReader) -> None:
        self._path = path
        self._reader = reader
        self._root_fd: int | None = None
        self._tree: DirTree | None = None

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
        self._forget_tree()
        self._reader.close()

    def _read_file(self, id: ObjectId, indexes: list[int], refs: Sequence[ChunkRef], found: list[bytes | None]) -> None:
        try:
            fd = self._open(id)
        except OSError:
            self._forget_tree()
            return
        if fd is None:
            return
        try:
            for index in indexes:
                data = read_exact(fd, refs[index].offset, refs[index].length)
                if name_of(data) == refs[index].name:
                    found[index] = data
        except OSError:
            return
        finally:
            os.close(fd)

    def _open(self, id: ObjectId) -> int | None:
        """The object at its first name that is a regular file."""
        names = self._reader.names_of(id)
        if not names:
            return None
        parent, name = names[0]
        fd = open_file(self._open_tree().fd(parent), name)
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
        return None

    def _open_tree(self) -> DirTree:
        if self._tree is None:
            self._root_fd = open_root(self._path)
            self._tree = DirTree(self._root_fd, self._locate)
        return self._tree

    def _locate(self, id: ObjectId) -> tuple[ObjectId, bytes] | None:
        names = self._reader.names_of(id)
        return names[0] if names else None

    def _forget_tree(self) -> None:
        """Directories were renamed under us, or the root went: open everything anew the next time."""
        if self._tree is not None:
            self._tree.close()
            self._tree = None
        if self._root_fd is not None:
            os.close(self._root_fd)
            self._root_fd = None
