"""Where chunks stand in the adopted tree: a database beside the vault's index. Each name once, where it was found first."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apsw

from agent.store.sqlite import Synchronous, ensure_schema, failure, open_database, query

_APPLICATION = 0x68696B73  #: "hiks", in the database header
_VERSION = 1
_CACHE_KIB = 16_384
_TABLES = """
create table file (
    id integer primary key, path blob not null, handle blob not null, ino integer not null, size integer not null,
    mtime integer not null, ctime integer not null, content blob not null
);
create index file_handle on file (handle);
create table chunk (
    name blob primary key, file integer not null, offset integer not null, length integer not null,
    relied integer not null default 0
) without rowid;
create index chunk_file on chunk (file);
create index chunk_due on chunk (file, offset) where relied = 1;
create table indexed (only integer primary key check (only = 1));
"""
_CHUNKS = "select name, file, offset, length from chunk"
_RELIED = "select chunk.name, relied from carray(?) asked join chunk on chunk.name = asked.value"
_NOT_RELIED = "select length from carray(?) asked join chunk on chunk.name = asked.value where relied = 0"
_RELIED_LENGTHS = "select length from carray(?) asked join chunk on chunk.name = asked.value where relied = 1"
#: Marks that wait in memory for the next sync.
_WAITING_MAX = 50_000


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as it was indexed: ``path`` from the root, and its stat then (ns, bytes); ``ctime`` is 0, which equals nothing,
    where that stat cannot vouch for the content (law 5). ``content``: its canonical chunk list."""

    path: bytes
    handle: bytes
    ino: int
    size: int
    mtime: int
    ctime: int
    content: bytes

    def is_unchanged(self, st: os.stat_result) -> bool:
        """Whether this stat says that it still holds what was read."""
        return (self.ino, self.size, self.mtime, self.ctime) == (
            st.st_ino,
            st.st_size,
            st.st_mtime_ns,
            st.st_ctime_ns,
        )


def _storable(file: KnownFile) -> KnownFile:
    """One whose numbers SQLite cannot hold is not vouched for."""
    if -(1 << 63) <= file.mtime < 1 << 63 and file.ino < 1 << 63:
        return file
    return replace(file, ino=0, mtime=0, ctime=0)


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """``length`` bytes of file number ``file`` at ``offset``."""

    name: bytes
    file: int
    offset: int
    length: int


class Placements:
    """See the module; any thread. Methods raise ``Damaged``, ``TryAgain`` (disk full), ``StoreFailed``."""

    @classmethod
    def open(cls, path: str) -> Placements:
        """Open or create. Raises ``Damaged``: then :func:`remove_placements` it, and what was relied on is lost."""
        connection = open_database(path, Synchronous.NORMAL, _CACHE_KIB)
        try:
            ensure_schema(connection, path, _APPLICATION, _VERSION, _TABLES)
            return cls(path, connection)
        except apsw.Error as error:
            connection.close(True)
            raise failure(error, "open the places of an adopted tree", path) from error
        except BaseException:
            connection.close(True)
            raise

    def __init__(self, path: str, connection: apsw.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.Lock()
        self._waiting: set[bytes] = set()
        self.indexed = bool(query(connection, "select 1 from indexed"))
        self._left: tuple[int, int] = query(
            connection, "select count(*), coalesce(sum(length), 0) from chunk where relied = 1"
        )[0]
        self._files: tuple[int, int] = query(connection, "select count(*), coalesce(sum(size), 0) from file")[0]

    def close(self) -> None:
        """Give the connection back; safe to call twice."""
        with self._lock:
            self._connection.close(True)

    @property
    def files(self) -> tuple[int, int]:
        """How many files are indexed, and their bytes."""
        return self._files

    @property
    def left(self) -> tuple[int, int]:
        """How many chunks are relied on and not copied yet, and their bytes."""
        return self._left

    # --- indexing

    def by_handle(self, handle: bytes) -> tuple[int, KnownFile] | None:
        """The file with that handle, and its number."""
        for row in self._all("select * from file where handle = ? order by id desc limit 1", (handle,)):
            return row[0], KnownFile(*row[1:])
        return None

    def add(self, files: Sequence[tuple[KnownFile, Sequence[tuple[bytes, int, int]]]]) -> None:
        """Files with their chunks ``(name, offset, length)``, in one transaction; one of the same handle is replaced."""
        with self._lock, self._errors(), self._connection:
            for file, chunks in ((_storable(file), chunks) for file, chunks in files):
                query(self._connection, _LOOSE_OF_HANDLE, (file.handle,))
                query(self._connection, "delete from file where handle = ?", (file.handle,))
                query(
                    self._connection,
                    "insert into file (path, handle, ino, size, mtime, ctime, content) values (?, ?, ?, ?, ?, ?, ?)",
                    (file.path, file.handle, file.ino, file.size, file.mtime, file.ctime, file.content),
                )
                number = self._connection.last_insert_rowid()
                self._connection.executemany(
                    "insert or ignore into chunk (name, file, offset, length) values (?, ?, ?, ?)",
                    [(name, number, offset, length) for name, offset, length in chunks],
                )
        count, size = self._files
        self._files = count + len(files), size + sum(file.size for file, _ in files)

    def set_indexed(self) -> None:
        """Everything was walked; durable."""
        with self._lock, self._errors():
            self._write_durably("insert or ignore into indexed values (1)", [()])
        self.indexed = True

    # --- relying

    def rely(self, names: Sequence[bytes]) -> set[bytes]:
        """Those of ``names`` that stand in the tree: they are relied on from now on, durably after :meth:`sync`."""
        with self._lock, self._errors():
            found = query(self._connection, _RELIED, (apsw.carray(tuple(names)),)) if names else ()
            held = {name for name, _ in found}
            self._waiting.update(name for name, relied in found if not relied)
            crowded = len(self._waiting) > _WAITING_MAX
        if crowded:
            self.sync()
        return held

    def sync(self) -> None:
        """Make durable which chunks are relied on."""
        with self._lock, self._errors():
            if not self._waiting:
                return
            names = tuple(self._waiting)
            lengths = query(self._connection, _NOT_RELIED, (apsw.carray(names),))
            self._write_durably("update chunk set relied = 1 where name = ?", [(name,) for name in names])
            self._waiting.clear()
            self._count([length for (length,) in lengths], 1)

    def place(self, name: bytes) -> ChunkPlace | None:
        """Where a chunk stands, relied on or not."""
        for row in self._all(f"{_CHUNKS} where name = ?", (name,)):
            return ChunkPlace(*row)
        return None

    def file(self, number: int) -> KnownFile | None:
        """A file by its number."""
        for row in self._all("select * from file where id = ?", (number,)):
            return KnownFile(*row[1:])
        return None

    # --- copying

    def due(self, after: tuple[int, int], limit: int) -> list[ChunkPlace]:
        """At most ``limit`` places that are relied on, behind ``(file, offset)``, in that order."""
        sql = f"{_CHUNKS} where (file, offset) > (?, ?) and relied = 1 order by file, offset limit ?"
        return [ChunkPlace(*row) for row in self._all(sql, (*after, limit))]

    def take(self, number: int) -> list[ChunkPlace]:
        """The file is about to change: forget it and what nobody relies on in it. Gives the rest, which must be copied
        and then dropped; nobody can come to rely on more of it."""
        with self._lock, self._errors():
            of_file = [ChunkPlace(*row) for row in query(self._connection, f"{_CHUNKS} where file = ?", (number,))]
            if not of_file:
                return []
            relied = {name for (name,) in query(self._connection, _RELIED_OF, (number,))} | self._waiting
            loose = [(place.name,) for place in of_file if place.name not in relied]
            with self._connection:
                self._connection.executemany("delete from chunk where name = ?", loose)
            return [place for place in of_file if place.name in relied]

    def drop(self, names: Iterable[bytes]) -> None:
        """Chunks are in the packs now, or are not here any more."""
        gone = tuple(names)
        if not gone:
            return
        with self._lock, self._errors():
            lengths = query(self._connection, _RELIED_LENGTHS, (apsw.carray(gone),))
            with self._connection:
                self._connection.executemany("delete from chunk where name = ?", [(name,) for name in gone])
            self._waiting.difference_update(gone)
            self._count([length for (length,) in lengths], -1)

    def forget_rest(self) -> bool:
        """Drop everything, if nothing is relied on; whether that was so. From then on nothing stands here."""
        with self._lock, self._errors():
            if self._waiting or query(self._connection, "select 1 from chunk where relied = 1 limit 1"):
                return False
            with self._connection:
                query(self._connection, "delete from chunk; delete from file")
            return True

    # --- inside

    def _count(self, lengths: Sequence[int], sign: int) -> None:
        count, size = self._left
        self._left = count + sign * len(lengths), size + sign * sum(lengths)

    def _write_durably(self, sql: str, rows: list[tuple[Any, ...]]) -> None:  # Any: SQLite's values
        self._connection.pragma("synchronous", int(Synchronous.FULL))
        try:
            with self._connection:
                self._connection.executemany(sql, rows)
        finally:
            self._connection.pragma("synchronous", int(Synchronous.NORMAL))

    def _all(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]:  # Any: rows as SQLite has them
        with self._lock, self._errors():
            return query(self._connection, sql, arguments)

    def _errors(self) -> _Mapped:
        return _Mapped(self.path)


_LOOSE_OF_HANDLE = "delete from chunk where relied = 0 and file in (select id from file where handle = ?)"
_RELIED_OF = "select name from chunk where file = ? and relied = 1"


class _Mapped:
    """Errors of SQLite as ours."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, apsw.Error):
            raise failure(error, "use the places of an adopted tree", self._path) from error


def remove_placements(path: str) -> None:
    """Delete the database."""
    for name in (path, path + "-wal", path + "-shm"):
        if os.path.exists(name):
            os.unlink(name)
