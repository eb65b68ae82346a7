"""Local facts: what is true on this machine only, and stands outside the digest. Losing them loses only time.

File handles, inode numbers, ctimes and prints of objects; which chunk names were ever captured here; a few named
values. One connection, to be used by several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from agent.core.ids import ObjectId
from agent.store.pages import Pages
from agent.store.sqlite import Synchronous, ensure_schema, failure, open_database, query, query_each

_APPLICATION = 0x68696B6C  #: "hikl", in the database header
_VERSION = 1
_CACHE_KIB = 16_384
_TABLES = """
create table object (
    id integer primary key, handle blob not null, ino integer not null, ctime integer not null, mtime integer not null,
    size integer not null, clean integer not null, prints blob not null
);
create index object_handle on object (handle) where handle <> x'';
create table known (prefix integer primary key);
create table value (key text primary key, data blob not null) without rowid;
"""
_GET = "select * from object where id = ?"
_PREFIX = 8


@dataclass(frozen=True, slots=True)
class LocalRow:
    """What this machine knows of an object: its ``handle`` and ``ino``, the stat that it had when it was read (ns,
    bytes), whether that stat is ``clean`` (law 5), and ``prints``: xxh3_128 of its data chunks in order, 16 bytes
    each, empty for a file of one chunk."""

    id: ObjectId
    handle: bytes
    ino: int
    ctime: int
    mtime: int
    size: int
    clean: bool
    prints: bytes


class Local:
    """See the module. Methods raise ``Damaged``, ``TryAgain`` (disk full), ``StoreFailed``."""

    @classmethod
    def open(cls, path: str) -> Local:
        """Open or create. Raises ``Damaged``: remove the file and everything is read anew."""
        connection = open_database(path, Synchronous.NORMAL, _CACHE_KIB)
        try:
            ensure_schema(connection, path, _APPLICATION, _VERSION, _TABLES)
        except apsw.Error as error:
            connection.close(True)
            raise failure(error, "open the local facts", path) from error
        except BaseException:
            connection.close(True)
            raise
        return cls(path, connection)

    def __init__(self, path: str, connection: apsw.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.Lock()
        #: Page digests of large files, in a file of their own.
        self.pages = Pages(path.removesuffix(".db") + ".pages.db")

    def close(self) -> None:
        """Give the connections back; safe to call twice."""
        self.pages.close()
        with self._lock:
            self._connection.close(True)

    def __enter__(self) -> Local:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def get(self, id: ObjectId) -> LocalRow | None:
        """What is known of an object."""
        for row in self._all(_GET, (id,)):
            return _as_row(row)
        return None

    def get_many(self, ids: Iterable[ObjectId]) -> dict[ObjectId, LocalRow]:
        """What is known of several; the unknown are left out."""
        rows = [_as_row(row) for row in self._each(_GET, [(id,) for id in ids]) if row]
        return {row.id: row for row in rows}

    def by_handle(self, handle: bytes) -> ObjectId | None:
        """The object with that file handle; the newest, should an old one linger. None for an empty handle."""
        for (id,) in self._all("select max(id) from object where handle = ? and handle <> x''", (handle,)):
            return None if id is None else ObjectId(id)
        return None

    def write(self, puts: Iterable[LocalRow], drops: Iterable[ObjectId] = ()) -> None:
        """Set and forget objects in one transaction. A power cut may take the last of them back."""
        rows = [_columns(row) for row in puts]
        ids = [(id,) for id in drops]
        if ids:
            self.pages.forget(id for (id,) in ids)
        self._write(
            [("delete from object where id = ?", ids), ("insert or replace into object values (?,?,?,?,?,?,?,?)", rows)]
        )

    def forget_objects(self) -> None:
        """Forget every object; names of chunks and values stay."""
        self._write([("delete from object", [()])])

    def knows(self, names: Sequence[bytes]) -> set[bytes]:
        """Those of ``names`` that may have been learned. Only the first 8 bytes are kept, so it may say so of a few
        that were not; what it leaves out certainly was not."""
        found = self._each("select 1 from known where prefix = ?", [(_prefix(name),) for name in names])
        return {name for name, known in zip(names, found, strict=True) if known}

    def learn(self, names: Iterable[bytes]) -> None:
        """Remember chunk names."""
        prefixes = sorted((_prefix(name),) for name in names)
        self._write([("insert or ignore into known values (?)", prefixes)])

    def value(self, key: str) -> bytes | None:
        """A named value."""
        for (data,) in self._all("select data from value where key = ?", (key,)):
            found: bytes = data
            return found
        return None

    def set_value(self, key: str, value: bytes, durable: bool = False) -> None:
        """Set a named value. ``durable``: it survives a power cut once this returns, and so does all that was written
        before."""
        self._write([("insert or replace into value values (?, ?)", [(key, value)])], durable=durable)

    def _write(self, statements: list[tuple[str, list[Any]]], durable: bool = False) -> None:
        with self._lock:
            try:
                if durable:
                    self._connection.pragma("synchronous", int(Synchronous.FULL))
                try:
                    with self._connection:
                        for sql, rows in statements:
                            if rows:
                                self._connection.executemany(sql, rows)
                finally:
                    if durable:
                        self._connection.pragma("synchronous", int(Synchronous.NORMAL))
            except apsw.Error as error:
                raise failure(error, "write the local facts", self.path) from error

    # SQLite's values have the types of the schema; apsw cannot know them.
    def _all(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            try:
                return query(self._connection, sql, arguments)
            except apsw.Error as error:
                raise failure(error, "read the local facts", self.path) from error

    def _each(self, sql: str, arguments: list[tuple[Any, ...]]) -> list[Any]:
        with self._lock:
            try:
                return query_each(self._connection, sql, arguments)
            except apsw.Error as error:
                raise failure(error, "read the local facts", self.path) from error


def _columns(row: LocalRow) -> tuple[Any, ...]:
    """The columns of a row; ``dataclasses.astuple`` copies deeply and costs ten times as much."""
    return (row.id, row.handle, row.ino, row.ctime, row.mtime, row.size, row.clean, row.prints)


def _as_row(row: tuple[Any, ...]) -> LocalRow:
    id, handle, ino, ctime, mtime, size, clean, prints = row
    return LocalRow(id, handle, ino, ctime, mtime, size, bool(clean), prints)


def _prefix(name: bytes) -> int:
    return int.from_bytes(name[:_PREFIX], "big", signed=True)
