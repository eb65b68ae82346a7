"""Bytes that a peer asks for, read again from the tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from typing import Protocol

from agent.capture.outlet import Lack
from agent.capture.refused import SHUT_ERRNOS, may_pass
from agent.core.chunks import PIECE, ChunkRef, name_of
from agent.core.ids import ObjectId
from agent.fs.confined import open_file, open_root
from agent.fs.content import read_exact
from agent.fs.dir_tree import DirTree
from agent.store.pieces import KeptPieces, VaultChunks

#: Names of one file that are tried: the directory of one may be closed to us, or gone.
_NAMES_TRIED = 8

#: ``(descriptor, offset, length)`` to bytes, fewer at the end of the file; OSError.
ReadAt = Callable[[int, int, int], bytes]


class CommittedRows(Protocol):
    """Of ``CatalogReader``."""

    def names_of(self, id: ObjectId) -> Sequence[tuple[ObjectId, bytes]]:
        """Every name of an object."""
        ...

    def piece(self, name: bytes) -> bytes | None:
        """A stored part of a chunk list."""
        ...

    def close(self) -> None:
        """Give the connection back; safe to call twice."""
        ...


class TreeSource:
    """Reads chunks by where they stood. For one thread, like the reader, which it takes over; ``close`` closes both.

    What changed since is not there any more: the name decides, so it does not matter which file the bytes came from.
    Directories stay open, and each under the object that it was opened for; when two were exchanged, or one replaced, before
    the catalog said so, that was another one. So what is not found by them is looked for again from the root, by the names of
    now, and if that leads elsewhere, all that was open is let go. This holds on any filesystem, also where no handle tells
    objects apart. ``vault``: what this node received when it was a standby; ``read_at``: how a file is read."""

    def __init__(
        self,
        path: str,
        reader: CommittedRows,
        vault: VaultChunks | None = None,
        read_at: ReadAt = read_exact,
    ) -> None:
        self._path = path
        self._reader = reader
        self._pieces = KeptPieces(reader, vault)
        self._read_at = read_at
        self._way: _Way | None = None

    def read(self, refs: Sequence[ChunkRef]) -> list[bytes | Lack]:
        """For each reference its bytes, or why they are not to be had."""
        found: list[bytes | Lack] = [Lack.CHANGED] * len(refs)
        files: dict[ObjectId, list[int]] = {}
        for index, ref in enumerate(refs):
            if ref.kind == PIECE:
                found[index] = self._pieces.find(ref.name) or Lack.CHANGED
            else:
                files.setdefault(ref.object, []).append(index)
        for id, indexes in files.items():
            self._read_file(id, indexes, refs, found)
        return found

    def rest(self) -> None:
        """Nothing is asked for now: close every descriptor."""
        self._forget_way()

    def close(self) -> None:
        """Close every descriptor and the reader; safe to call twice."""
        self._forget_way()
        self._reader.close()

    def _read_file(self, id: ObjectId, indexes: list[int], refs: Sequence[ChunkRef], found: list[bytes | Lack]) -> None:
        fresh = self._way is None
        seen = self._read_by(self._known_way(), id, indexes, refs, found)
        if fresh or all(isinstance(found[index], bytes) for index in indexes):
            return
        way = _Way(self._path, self._reader)
        again = self._read_by(way, id, indexes, refs, found, than=seen)
        if again == seen:
            way.close()
        else:
            self._forget_way()
            self._way = way

    def _read_by(
        self,
        way: _Way,
        id: ObjectId,
        indexes: list[int],
        refs: Sequence[ChunkRef],
        found: list[bytes | Lack],
        than: tuple[int, int] | None = None,
    ) -> tuple[int, int] | None:
        """Read what is lacking, if another file than ``than`` stands there; device and inode number of the one that does."""
        try:
            fd = way.open(id)
        except OSError as error:
            for index in indexes:
                if not isinstance(found[index], bytes):
                    found[index] = _lack(error)
            return None
        if fd is None:
            return None
        try:
            st = os.fstat(fd)
            if (st.st_dev, st.st_ino) != than:
                for index in indexes:
                    if not isinstance(found[index], bytes):
                        found[index] = self._read_chunk(fd, refs[index])
            return st.st_dev, st.st_ino
        finally:
            os.close(fd)

    def _read_chunk(self, fd: int, ref: ChunkRef) -> bytes | Lack:
        """One chunk: a bad sector takes no other of its file along."""
        try:
            data = self._read_at(fd, ref.offset, ref.length)
        except OSError as error:
            return _lack(error)
        return data if name_of(data) == ref.name else Lack.CHANGED

    def _known_way(self) -> _Way:
        if self._way is None:
            self._way = _Way(self._path, self._reader)
        return self._way

    def _forget_way(self) -> None:
        if self._way is not None:
            self._way.close()
            self._way = None


class _Way:
    """From the root to files, by the names that the catalog has now; directories that were passed stay open."""

    def __init__(self, path: str, reader: CommittedRows) -> None:
        self._path = path
        self._reader = reader
        self._root_fd: int | None = None
        self._tree: DirTree | None = None

    def open(self, id: ObjectId) -> int | None:
        """The file at the object's first name that leads to one; None when that is none, or not a regular one. OSError, that of
        the first name."""
        failure: OSError | None = None
        names = self._reader.names_of(id)[:_NAMES_TRIED]
        for parent, name in names:
            try:
                return self._opened(parent, name)
            except OSError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return None

    def _opened(self, parent: ObjectId, name: bytes) -> int | None:
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
        return names[0] if names else None


def _lack(error: OSError) -> Lack:
    """Somebody who is just changing it says as little against reading it as what :func:`may_pass` tells of."""
    return Lack.CHANGED if may_pass(error) or error.errno in SHUT_ERRNOS else Lack.UNREADABLE
