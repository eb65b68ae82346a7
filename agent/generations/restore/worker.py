"""One process of a crew: takes tasks from a pipe, makes what they name, and says what came of each."""

from __future__ import annotations

import marshal
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from agent.apply.results import ChunkLost
from agent.core.errors import HikaeError, NotFound, WireError
from agent.core.ids import CommitNumber, ObjectId
from agent.core.rows import ObjectRow, decode_object
from agent.fs.confined import make_dir, open_dir, open_pinned
from agent.fs.dir_tree import DirTree
from agent.generations.reading import ReadChunk
from agent.generations.restore.making import EntryMaker
from agent.generations.restore.plain_files import Created, PlainFile, ReadMany, created_in, make_plain, plain_file
from agent.generations.restore.ranges import make_stretch
from agent.generations.restore.results import Work, as_fatal
from agent.store.catalog.reader import CatalogReader
from agent.store.vault.beside import VaultBeside

#: What a task says: what to do, the directory, and what the act takes.
ENTRIES, STRETCH = 0, 1
#: Marshalled, so that no code is ever in it. Any: what marshal gives.
Message: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Stores:
    """What a process of a restore opens for itself: the catalog, and the vault's directory."""

    catalog: str
    vault: str

    @property
    def words(self) -> tuple[str, ...]:
        """As they are told to another process."""
        return (self.catalog, self.vault)

    @contextmanager
    def opened(self) -> Iterator[tuple[CatalogReader, ReadChunk, ReadMany]]:
        """Connections of its own, and how chunks are read, one and many. Raises ``HikaeError``."""
        with CatalogReader.open(self.catalog) as catalog, VaultBeside.open_beside(self.vault) as vault:

            def read(name: bytes) -> bytes:
                try:
                    return vault.read(name)
                except NotFound:
                    # Parts of lists of what was captured here stand in the catalog.
                    piece = catalog.piece(name)
                    if piece is None:
                        raise
                    return piece

            yield catalog, read, vault.read_many


#: How a process of a crew opens what it reads, by words that its parent says.
Opener: TypeAlias = Callable[[tuple[str, ...]], AbstractContextManager[tuple[CatalogReader, ReadChunk, ReadMany]]]


def opened_here(words: tuple[str, ...]) -> AbstractContextManager[tuple[CatalogReader, ReadChunk, ReadMany]]:
    """The ``Stores`` of this node that these words are."""
    return Stores(*words).opened()


def serve_worker(sock: socket.socket, opens: Opener) -> None:
    """All of a process's life: its first message names the stores and brings the open directories, each further one is a task.
    Ends when nobody sends any more. ``opens``: what the words of the first message name."""
    first, fds, _, _ = socket.recv_fds(sock, 1 << 16, 4)
    if not first:
        return
    words, number, serial = marshal.loads(first)  # noqa: S302 - from the process that forked this one
    pipe = Connection(sock.detach())
    root, private, displaced, _ = fds
    os.umask(0)  # files are created with their own mode, in directories that are ours alone
    try:
        with opens(words) as (reader, read, read_many):
            task = pipe.recv_bytes()
            # Only now: who is given nothing may come to this point when the restore has ended and its directory is gone.
            temp = _own_directory(private, serial.encode())
            worker = _Worker(reader, CommitNumber(number), root, EntryMaker(temp, displaced, read, serial), read_many)
            while True:
                worker.do(pipe, marshal.loads(task))  # noqa: S302
                task = pipe.recv_bytes()
    except EOFError:
        return
    except HikaeError as error:
        _say(pipe, [1, type(error).__name__, error.operation, error.subject, error.reason, error.remedy])


def _own_directory(private: int, name: bytes) -> int:
    try:
        make_dir(private, name)
    except FileExistsError:
        pass
    return open_dir(private, name)


def _say(pipe: Connection, message: list[object]) -> None:
    pipe.send_bytes(marshal.dumps(message))


class _Worker:
    def __init__(
        self, catalog: CatalogReader, number: CommitNumber, root: int, maker: EntryMaker, read_many: ReadMany
    ) -> None:
        self._catalog = catalog
        self._number = number
        self._maker = maker
        self._read_many = read_many
        self._root = root
        #: Of the directory of the last task: its id, and what is created in it gets.
        self._created: tuple[ObjectId, Created | None] | None = None
        self._dirs = DirTree(root, self._locate)

    def _locate(self, id: ObjectId) -> tuple[ObjectId, bytes] | None:
        names = self._catalog.names_of(id, self._number)
        return names[0] if names else None

    def do(self, pipe: Connection, task: Message) -> None:
        """Do one task and say what came of it."""
        work = self._maker.work = Work()
        kind, directory, *given = task
        try:
            fd = self._dirs.fd(directory)
            if kind == ENTRIES:
                self._entries(directory, fd, *given)
            else:
                self._stretch(directory, fd, *given)
        except OSError as error:
            fatal = as_fatal(error, os.fsdecode(os.readlink(b"/proc/self/fd/%d" % self._root)))
            if fatal is None:
                name = given[0] if kind == STRETCH else b""
                work.unmade.append((directory, name, error.strerror or str(error), "", True))
            else:
                _say(pipe, [1, type(fatal).__name__, fatal.operation, fatal.subject, fatal.reason, fatal.remedy])
                return
        counts = [work.entries, work.size, work.written, work.verified, work.displaced]
        _say(pipe, [0, *counts, [(int(id), *rest) for id, *rest in work.unmade]])

    def _entries(self, directory: ObjectId, fd: int, fresh: bool, entries: list[tuple[bytes, bytes, int]]) -> None:
        for name, raw, names in self._not_plain(directory, fd, entries) if fresh else entries:
            try:
                self._maker.make(directory, fd, name, decode_object(raw), names, fresh=fresh)
            except OSError as error:
                if as_fatal(error, "") is not None:
                    raise
                self._maker.work.unmade.append((directory, name, error.strerror or str(error), "", True))

    def _not_plain(
        self, directory: ObjectId, fd: int, entries: list[tuple[bytes, bytes, int]]
    ) -> Iterator[tuple[bytes, bytes, int]]:
        """Make the plain files among the entries of a new directory; the others, and what did not go so easily."""
        plain = []
        for entry in entries:
            file = plain_file(entry[0], entry[1]) if entry[2] == 1 else None
            if file is None:
                yield entry
            else:
                plain.append((file, entry))
        created = self._created_in(directory, fd)
        chunks = self._read_many([file.chunk for file, _ in plain if file.chunk])
        work = self._maker.work
        for file, entry in plain:
            data = chunks.get(file.chunk, b"")
            if created is not None and len(data) == file.row.size and _made_plain(fd, file, data, created):
                work.entries += 1
                work.size += len(data)
                work.written += len(data)
                work.verified += len(data)
            else:
                yield entry

    def _created_in(self, directory: ObjectId, fd: int) -> Created | None:
        if self._created is None or self._created[0] != directory:
            self._created = (directory, created_in(fd))
        return self._created[1]

    def _stretch(self, directory: ObjectId, fd: int, name: bytes, raw: bytes, offset: int, length: int) -> None:
        row = decode_object(raw)
        pinned = open_pinned(fd, name)
        try:
            if not _is_ours(pinned):
                raise OSError(0, "somebody else changed it meanwhile", name)
            opened = os.open(b"/proc/self/fd/%d" % pinned, os.O_RDWR | os.O_CLOEXEC)
        finally:
            os.close(pinned)
        try:
            self._write_stretch(directory, name, opened, row, offset, length)
        finally:
            os.close(opened)

    def _write_stretch(
        self, directory: ObjectId, name: bytes, fd: int, row: ObjectRow, offset: int, length: int
    ) -> None:
        maker = self._maker
        try:
            maker.work.written += make_stretch(fd, row, offset, length, maker.read, self._read_many)
        except (ChunkLost, WireError) as error:
            maker.lost(directory, name, error)
            return
        maker.work.verified += length


def _made_plain(fd: int, file: PlainFile, data: bytes | memoryview, created: Created) -> bool:
    try:
        make_plain(fd, file, data, created)
    except OSError:
        return False  # It is met again, and told, by who makes anything.
    return True


def _is_ours(pinned: int) -> bool:
    """Whether an open entry is a file that only we read and write, of one name."""
    st = os.fstat(pinned)
    return stat.S_ISREG(st.st_mode) and st.st_nlink == 1 and st.st_uid == os.geteuid() and not st.st_mode & 0o077
