"""How every database of the store is opened, and what SQLite's errors mean to us.

Pages carry a checksum (the ``cksumvfs`` extension that comes with apsw): damage on the medium is an error
at the first read of the page, never a wrong answer.
"""

from __future__ import annotations

import itertools
import os
import struct
import threading
from collections.abc import Sequence
from contextlib import suppress
from enum import IntEnum
from functools import partial
from typing import Any

import apsw
import apsw.sqlite_extra

from agent.core.errors import Damaged, DiskFull, HikaeError, NotFound, OtherFormat, StoreFailed, TryAgain

PAGE_SIZE = 4096
_CHECKSUM_BYTES = 8
_BUSY_MS = 10_000
#: When the log is folded in, in bytes. SQLite's four MiB would fold the same pages in again and again while much comes in.
_LOG_SIZE = 16 << 20
_STATEMENTS = 128
_VFS = "cksmvfs"
_IOERR_DATA = 10 | 32 << 8  #: SQLITE_IOERR_DATA: cksumvfs found a page whose checksum is wrong.
_IOERR_CORRUPTFS = 10 | 33 << 8

#: What a statement may have to take back stays in memory, whatever it is: SQLite would write more than its own 64 KiB to a
#: nameless file, and a first sync wrote two thirds of the content there. No number in its place: above 128 KiB SQLite (3.54)
#: writes none of it and says that the disk is full (docs/decisions/0015). Statements over a whole table say ``or fail``, so that
#: they have nothing to take back.
_ALWAYS_IN_MEMORY = -1

_loading = threading.Lock()


def _keep_in_memory_what_statements_take_back() -> None:
    """For every connection of the process, so before there is one."""
    apsw.shutdown()
    apsw.config(apsw.SQLITE_CONFIG_STMTJRNL_SPILL, _ALWAYS_IN_MEMORY)
    apsw.initialize()


_keep_in_memory_what_statements_take_back()


def keep_temporary_in(directory: str) -> None:
    """From now on what SQLite's temporary tables have beyond memory lies in nameless files of this directory: on the disk of our
    own state, for which there is a reserve, and not in /var/tmp. For the whole process; before threads begin."""
    os.environ["SQLITE_TMPDIR"] = os.path.abspath(directory)


class Synchronous(IntEnum):
    """When a commit is synced: FULL always, NORMAL only before a checkpoint (a power cut loses the last commits)."""

    NORMAL = 1
    FULL = 2


def open_database(
    path: str, synchronous: Synchronous, cache_kib: int, *, create: bool = True, page_size: int = PAGE_SIZE
) -> apsw.Connection:
    """A connection in WAL mode with checksummed pages. The file is made 0600, with such pages, when ``create`` is set and it is
    absent.

    Raises ``Damaged``, ``NotFound`` (absent and not ``create``), ``DiskFull``, ``StoreFailed``."""
    _load_checksums(path)
    flags = apsw.SQLITE_OPEN_READWRITE
    if create:
        _touch(path)
    elif not os.path.exists(path):
        raise NotFound("open a database", path, "it does not exist")
    try:
        connection = apsw.Connection(path, flags=flags, vfs=_VFS, statementcachesize=_STATEMENTS)
        try:
            _configure(connection, synchronous, cache_kib, page_size)
        except BaseException:
            connection.close(True)
            raise
    except apsw.Error as error:
        raise failure(error, "open a database", path) from error
    return connection


def ensure_schema(connection: apsw.Connection, path: str, application: int, version: int, tables: str) -> bool:
    """Create the tables when the database is empty; returns whether it was.

    ``application``: what tells our kinds of database apart. Raises ``Damaged`` for another kind, ``OtherFormat`` for what another
    build wrote."""
    found = (connection.pragma("application_id"), connection.pragma("user_version"))
    if found == (application, version):
        return False
    if found[0] == application:
        raise _other_format(path, found[1], version)
    if found != (0, 0) or query(connection, "select 1 from sqlite_schema limit 1"):
        raise Damaged("open a database", path, "it is of another kind", _damaged_remedy(path))
    with connection:
        query(connection, tables)
        connection.pragma("application_id", application)
        connection.pragma("user_version", version)
    return True


# SQLite's values have the types of the schema; apsw cannot know them: this is the edge where they become ``Any``.
def query(connection: apsw.Connection, sql: str, arguments: tuple[Any, ...] = ()) -> list[Any]:
    """Run a statement to its end and give its rows. ``arguments`` of several statements follow each other.

    A cursor left half-way would hold a snapshot and keep the log from being folded in, so there are none."""
    return connection.execute(sql, arguments).fetchall()


class Insert:
    """An insertion of many rows, a hundred in each statement: apsw gives the interpreter away around every step, and taking it
    back from another thread that is busy costs more than the row (docs/performance.md).

    ``head`` ends before the values, ``values`` are those of one row with a ``?`` for each of its columns; ``tail`` may say what
    of the rows that were inserted :meth:`added` returns."""

    _AT_ONCE = 100

    def __init__(self, head: str, values: str, tail: str = "") -> None:
        self._one = f"{head} {values} {tail}"
        self._many = f"{head} {', '.join([values] * self._AT_ONCE)} {tail}"

    def run(self, connection: apsw.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert ``rows``, in their order, in the transaction that is open."""
        whole = len(rows) - len(rows) % self._AT_ONCE
        execute, chained = connection.cursor().execute, itertools.chain.from_iterable
        for at in range(0, whole, self._AT_ONCE):
            execute(self._many, tuple(chained(rows[at : at + self._AT_ONCE])))
        if whole < len(rows):
            connection.executemany(self._one, rows[whole:])

    def added(self, connection: apsw.Connection, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """As :meth:`run`; what the tail returns of each row that was not passed over."""
        whole = len(rows) - len(rows) % self._AT_ONCE
        found: list[Any] = []
        for at in range(0, whole, self._AT_ONCE):
            found += query(connection, self._many, tuple(itertools.chain.from_iterable(rows[at : at + self._AT_ONCE])))
        for row in rows[whole:]:
            found += query(connection, self._one, row)
        return found


def failure(error: apsw.Error, operation: str, path: str) -> HikaeError:
    """What an apsw error means to us; to be raised ``from`` it."""
    while isinstance(error.__context__, apsw.Error):
        # What ended the transaction, not that ending it by hand failed then.
        error = error.__context__
    code = getattr(error, "extendedresult", -1)
    if isinstance(error, apsw.CorruptError | apsw.NotADBError) or code in (_IOERR_DATA, _IOERR_CORRUPTFS):
        return Damaged(operation, path, f"the database is damaged ({error})", _damaged_remedy(path))
    if isinstance(error, apsw.FullError):
        return DiskFull(operation, path, "the disk is full", "free some space; the agent goes on by itself")
    if isinstance(error, apsw.ConnectionClosedError):
        return TryAgain(operation, path, "it is closed, as the dataset is being closed or opened anew", "type it again")
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return TryAgain(operation, path, "another process uses the database", "is a second agent running?")
    if isinstance(error, apsw.CantOpenError | apsw.PermissionsError | apsw.ReadOnlyError):
        return StoreFailed(operation, path, str(error), "check that the directory exists and may be written")
    return StoreFailed(operation, path, str(error), "see the kernel log; restart the agent when the disk is well")


#: What values raise that are of the right type and yet none of ours, where rows are made of them.
UNFIT = (struct.error, TypeError, ValueError, LookupError, OverflowError)


def store_error(error: Exception, operation: str, path: str) -> Damaged:
    """What such an error means to us; to be raised ``from`` it. A checksum does not find what was written so."""
    return Damaged(operation, path, f"the database holds what does not belong there ({error})", _damaged_remedy(path))


def _load_checksums(path: str) -> None:
    """Register the checksumming VFS once a process."""
    with _loading:
        if _VFS in apsw.vfs_names():
            return
        try:
            probe = apsw.Connection(":memory:")
            try:
                apsw.sqlite_extra.load(probe, "cksumvfs")
            finally:
                probe.close()
        except (apsw.Error, apsw.sqlite_extra.NotAvailable, LookupError, OSError) as error:
            raise StoreFailed(
                "open a database", path, f"apsw has no cksumvfs extension ({error})", "install apsw from its wheel"
            ) from error


def _configure(connection: apsw.Connection, synchronous: Synchronous, cache_kib: int, page_size: int) -> None:
    connection.set_busy_timeout(_BUSY_MS)
    connection.reserve_bytes(None, _CHECKSUM_BYTES)
    connection.pragma("page_size", page_size)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", int(synchronous))
    connection.pragma("cache_size", -cache_kib)
    connection.pragma("cell_size_check", True)
    connection.pragma("journal_size_limit", 2 * _LOG_SIZE)
    connection.set_wal_hook(partial(_fold_in, _LOG_SIZE // connection.pragma("page_size")))


def _fold_in(most: int, connection: apsw.Connection, name: str, pages: int) -> int:
    """The log is folded in once it is long, as SQLite would by itself. But SQLite passes over an error of the sync that this
    begins with, and the kernel tells it only once: the commits that were to become durable by the next sync (``Synchronous``)
    would be taken for it (law 1). So here it is the error of the statement that committed.

    A full disk loses nothing, and another reader nothing but time: the log is folded in later."""
    if pages >= most:
        with suppress(apsw.BusyError, apsw.LockedError, apsw.FullError):
            connection.wal_checkpoint(name)
    return apsw.SQLITE_OK


def settle_log(connection: apsw.Connection) -> None:
    """Write everything that the log holds into the database, and sync that: then it is durable, whatever became of a sync of the
    log by a process that is gone. Raises ``apsw.Error``."""
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)


def _touch(path: str) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreFailed("open a database", path, str(error), "check that the directory exists") from error


def _other_format(path: str, found: int, version: int) -> OtherFormat:
    """Formats only grow once a build is released; until then what an earlier one wrote is begun anew."""
    home = os.path.dirname(os.path.abspath(path))
    if found > version:
        reason = f"a later build of hikae wrote it, in format {found}; this one reads format {version}"
        return OtherFormat("open a database", path, reason, "install that build again, or a later one")
    reason = f"an earlier build of hikae wrote it, in format {found}; this one reads format {version}"
    remedy = (
        f"stop the agent, move the dataset's state away (mv {home} {home}.earlier) and start it, on every node of the dataset: "
        "everything is synced anew; what the earlier build kept as history stays in what was moved away"
    )
    return OtherFormat("open a database", path, reason, remedy)


def _damaged_remedy(path: str) -> str:
    return (
        f"stop the agent, move the file away (mv {path} {path}.damaged; also {path}-wal and {path}-shm) and start it: "
        "what was in it is synced or built afresh"
    )
