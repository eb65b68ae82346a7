"""Digests of the 4 KiB pages of large files' chunks, ``local.pages.db`` beside the local facts: 8 bytes a page, 2 MiB a GiB.

They stand under the object and the name of the chunk that they describe, so they are never those of another version,
whatever a crash left behind. Losing them loses little: chunks that change next travel whole. So nothing here fails: what cannot
be read is not there, what cannot be written is not kept, and many small files share a transaction: it ends with its rows, with
time, or when whoever writes comes to rest.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

import apsw
import structlog

from agent.core.errors import Damaged, HikaeError
from agent.core.ids import ObjectId
from agent.store.sqlite import Insert, Synchronous, ensure_schema, failure, open_database, query
from agent.store.vault import index

_APPLICATION = 0x68696B67  #: "hikg", in the database header
_VERSION = 1
_CACHE_KIB = 4_096
#: A transaction is of about so many rows, or of so many seconds.
_ROWS, _SECONDS = 1000, 1.0
_TABLES = """
create table page (
    object integer not null, chunk blob not null, reading integer not null, digests blob not null, primary key (object, chunk)
) without rowid;
create table seed (only integer primary key check (only = 1), seed blob not null);
"""
_OF = "select chunk, digests from page where object = ? and chunk in carray(?)"
_PUT = Insert("insert or ignore into page values", "(?, ?, ?, ?)")
_DROP = "delete from page where object = ? and chunk in (select value from carray(?))"
_FORGET = "delete from page where object in (select value from carray(?))"
_PREFIX = 8
_log = structlog.get_logger("store")
T = TypeVar("T")


class Pages:
    """See the module. Opened when it is first needed; any thread."""

    def __init__(self, path: str, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._open_rows, self._opened_at = 0, 0.0
        self._lock = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._ailing = False

    def close(self) -> None:
        """Give the connection back; safe to call twice."""
        with self._lock:
            if self._connection is not None:
                with suppress(apsw.Error):
                    _commit(self._connection)
                self._connection.close(True)
                self._connection = None

    def keep(self) -> None:
        """No kill takes back what was written so far. To be called by whoever comes to rest."""
        if self._open_rows:
            self._do(self._commit, None)

    def begin(self, seed: bytes) -> None:
        """Digests are made with this seed from now on; those of another are forgotten."""

        def check(connection: apsw.Connection) -> None:
            if query(connection, "select seed from seed") != [(seed,)]:
                with connection:
                    query(connection, "delete from page")
                    query(connection, "insert or replace into seed values (1, ?)", (seed,))

        self._do(check, None)

    def knows(self, id: ObjectId) -> bool:
        """Whether there are digests of any chunk of the object."""
        return self._do(lambda c: bool(query(c, "select 1 from page where object = ? limit 1", (id,))), False)

    def of(self, id: ObjectId, chunks: Iterable[bytes]) -> dict[bytes, bytes]:
        """The digests of chunks of the object, by name; those that have none are left out."""
        names = {chunk[:_PREFIX]: chunk for chunk in chunks}
        if not names:
            return {}
        found: list[tuple[bytes, bytes]] = self._do(lambda c: query(c, _OF, (id, apsw.carray(tuple(names)))), [])
        return {names[prefix]: digests for prefix, digests in found}

    def put(self, id: ObjectId, reading: int, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep ``(chunk, digests)``. ``reading``: a number of its own for each read of a file, for :meth:`withdraw`."""
        put = [(id, chunk[:_PREFIX], reading, digests) for chunk, digests in rows]
        self._write(len(put), lambda c: _PUT.run(c, put))

    def drop(self, id: ObjectId, chunks: Iterable[bytes]) -> None:
        """These chunks are no longer in the object."""
        gone = tuple(chunk[:_PREFIX] for chunk in chunks)
        self._write(len(gone), lambda c: query(c, _DROP, (id, apsw.carray(gone))))

    def withdraw(self, id: ObjectId, reading: int) -> None:
        """What was read then is not to be committed."""
        self._write(1, lambda c: query(c, "delete from page where object = ? and reading = ?", (id, reading)))

    def forget(self, ids: Iterable[ObjectId]) -> None:
        """These objects are gone."""
        if self._connection is not None or os.path.exists(self._path):
            gone = array("q", ids)
            self._write(len(gone), lambda c: query(c, _FORGET, (apsw.carray(gone),)))

    def _write(self, rows: int, write: Callable[[apsw.Connection], object]) -> None:
        """``write`` so many rows, in the transaction that is open, or a new one."""

        def written(connection: apsw.Connection) -> None:
            if not connection.in_transaction:
                query(connection, "begin immediate")
                self._open_rows, self._opened_at = 0, self._now()
            write(connection)
            self._open_rows += rows
            if self._open_rows >= _ROWS or self._now() - self._opened_at >= _SECONDS:
                self._commit(connection)

        if rows:
            self._do(written, None)

    def _commit(self, connection: apsw.Connection) -> None:
        self._open_rows = 0
        _commit(connection)

    def _do(self, action: Callable[[apsw.Connection], T], otherwise: T) -> T:
        with self._lock:
            try:
                result = action(self._opened())
                self._ailing = False
                return result
            except apsw.Error as error:
                self._ails(failure(error, "use page digests", self._path))
            except HikaeError as error:
                self._ails(error)
            return otherwise

    def _opened(self) -> apsw.Connection:
        if self._connection is None:
            connection = open_database(self._path, Synchronous.NORMAL, _CACHE_KIB)
            try:
                ensure_schema(connection, self._path, _APPLICATION, _VERSION, _TABLES)
            except BaseException:
                connection.close(True)
                raise
            self._connection = connection
        return self._connection

    def _ails(self, error: Exception) -> None:
        if not self._ailing:
            _log.warning("page digests are not at hand; what changes travels in whole chunks", reason=str(error))
        self._ailing = True
        if self._connection is not None and self._connection.in_transaction:
            with suppress(apsw.Error):
                query(self._connection, "rollback")
        self._open_rows = 0
        if isinstance(error, Damaged):
            if self._connection is not None:
                self._connection.close(True)
                self._connection = None
            index.remove_index(self._path)


def _commit(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        query(connection, "commit")
