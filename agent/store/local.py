"""Local facts: what is true on this machine only, and stands outside the digest. Losing them loses only time.

File handles, inode numbers, ctimes and prints of objects, and a few named values; beside them, in files of their own, page
digests and which chunk names were ever captured here. One connection, to be used by several threads.

Facts are not durable when they are written: a power cut, or a kill, may bring back older ones than the catalog's. So they carry
the commit up to which they hold, their *mark*, in the transaction that writes them (law 5; ``store.doubt`` judges by it). A
transaction takes what is written within a second: each of its pages goes to the disk once for all of that, and not once for each
small commit (docs/decisions/0036).
"""

from __future__ import annotations

import struct
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeAlias

import apsw

from agent.core.errors import HikaeError, StoreFailed
from agent.core.ids import CommitNumber, ObjectId
from agent.store.known import KnownNames
from agent.store.pages import Pages
from agent.store.sqlite import Insert, Synchronous, ensure_schema, failure, open_database, query

_APPLICATION = 0x68696B6C  #: "hikl", in the database header
_VERSION = 4
_CACHE_KIB = 16_384
_TABLES = """
create table object (
    id integer primary key, handle blob not null, ino integer not null, ctime integer not null, mtime integer not null,
    size integer not null, clean integer not null, prints blob not null, unkept integer not null default 0
);
create index object_handle on object (handle) where handle <> x'';
create index object_unkept on object (unkept, id) where unkept <> 0;
create table chunk (number integer primary key, print blob not null);
create table value (key text primary key, data blob not null) without rowid;
"""
_GET = "select * from object where id = ?"
_GET_MANY = "select object.* from carray(?) asked join object on object.id = asked.value"
_SIGNATURES = """
select id, handle, ino, ctime, mtime, size, clean or (ctime > 0 and ctime < ?)
from carray(?) asked join object on object.id = asked.value
"""
_SIGNATURE_OF = """
select id, handle, ino, ctime, mtime, size, clean or (ctime > 0 and ctime < ?)
from object where handle = ? and handle <> x'' order by id desc limit 1
"""
_FIRST_UNKEPT = "select id from object where unkept = ? order by id limit 3"
_PUT = Insert("insert or replace into object values", "(?, ?, ?, ?, ?, ?, ?, ?, ?)")
_GET_VALUE = "select data from value where key = ?"
_PUT_VALUE = "insert or replace into value values (?, ?)"
#: They are believed no more (ctime 0 equals no stat), and the object is still known by its handle.
_DOUBT = "update or fail object set ctime = 0, clean = 0"
_PRINTS = "select number, print from chunk where number between ? and ?"
_PUT_PRINT = Insert("insert or replace into chunk values", "(?, ?)")
_MARK, _SETTLED, _SYNCED, _LATELY = "mark", "settled", "synced", "lately"
#: What one transaction takes: so many rows, and what is written within so many seconds.
_ROWS, _SECONDS = 1000, 1.0
#: What SQLite's integers hold.
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
#: A mark: the commit's number, then its digest.
_NUMBER = struct.Struct(">q")


class LocalRow(NamedTuple):
    """What this machine knows of an object: its ``handle`` and ``ino``, the stat that it had when it was read (ns,
    bytes), whether that stat is ``clean`` (law 5), and ``prints``: xxh3_128 of its data chunks in order, 16 bytes
    each, empty for a file of one chunk. ``unkept``: bits of what a standby's filesystem did not keep of it
    (``apply.output.unkept``).

    Numbers beyond what SQLite holds (times before 1677 and after 2262) are stored as its nearest, and never believed: then
    ``ctime`` is 0, which equals no stat."""

    id: ObjectId
    handle: bytes
    ino: int
    ctime: int
    mtime: int
    size: int
    clean: bool
    prints: bytes
    unkept: int = 0


class FactsMark(NamedTuple):
    """The commit up to which facts hold: every object that the catalog has not changed since is as its fact says, or its stat
    is another. ``digest`` tells commits of one number apart that two histories have."""

    number: CommitNumber
    digest: bytes


#: A :class:`LocalRow` without its prints, as it comes from the database: (id, handle, ino, ctime, mtime, size, clean).
Signature: TypeAlias = tuple[ObjectId, bytes, int, int, int, int, int]


class Local:
    """See the module. Methods raise ``Damaged``, ``TryAgain`` (disk full), ``StoreFailed``."""

    @classmethod
    def open(cls, path: str, now: Callable[[], float] = time.monotonic) -> Local:
        """Open or create; ``now`` gives seconds. Raises ``Damaged``: remove the file and everything is read anew."""
        connection = open_database(path, Synchronous.NORMAL, _CACHE_KIB)
        try:
            created = ensure_schema(connection, path, _APPLICATION, _VERSION, _TABLES)
            stored = query(connection, _GET_VALUE, (_SYNCED,))
        except apsw.Error as error:
            connection.close(True)
            raise failure(error, "open the local facts", path) from error
        except BaseException:
            connection.close(True)
            raise
        synced: int = _NUMBER.unpack(stored[0][0])[0] if stored else 0
        return cls(path, connection, created, now, synced)

    def __init__(
        self, path: str, connection: apsw.Connection, created: bool, now: Callable[[], float], synced: int
    ) -> None:
        self.path = path
        self._now = now
        self._connection = connection
        self._lock = threading.Lock()
        self._failed = False
        #: Stats from before this moment are clean, ns; see :meth:`vouch`.
        self._synced = synced
        #: What the open transaction changed, in order: done once more where a full disk took the transaction back.
        self._open: list[Callable[[apsw.Connection], object]] = []
        self._open_rows, self._opened_at = 0, 0.0
        #: Page digests of large files, in a file of their own.
        self.pages = Pages(path.removesuffix(".db") + ".pages.db", now)
        #: Chunk names that may have been captured here, in a file of their own.
        self.known = KnownNames(path.removesuffix(".db") + ".known", created)

    def close(self) -> None:
        """Give the connections back; safe to call twice."""
        self.pages.close()
        self.known.close()
        with self._lock:
            if not self._failed:
                with suppress(HikaeError):
                    self._commit()
            self._failed = True
            self._connection.close(True)

    def __enter__(self) -> Local:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def get(self, id: ObjectId) -> LocalRow | None:
        """What is known of an object."""
        for row in self._all(_GET, (id,)):
            return _as_row(row, self._synced)
        return None

    def get_many(self, ids: Iterable[ObjectId]) -> dict[ObjectId, LocalRow]:
        """What is known of several; the unknown are left out."""
        asked = array("q", ids)
        rows = self._all(_GET_MANY, (apsw.carray(asked),)) if asked else ()
        return {row[0]: _as_row(row, self._synced) for row in rows}

    def signatures(self, ids: Iterable[ObjectId]) -> dict[ObjectId, Signature]:
        """:meth:`get_many` for many at little cost: prints are neither read nor kept in memory."""
        asked = array("q", ids)
        return {row[0]: row for row in self._all(_SIGNATURES, (self._synced, apsw.carray(asked)))} if asked else {}

    def by_handle(self, handle: bytes) -> ObjectId | None:
        """The object with that file handle; the newest, should an old one linger. None for an empty handle."""
        for (id,) in self._all("select max(id) from object where handle = ? and handle <> x''", (handle,)):
            return None if id is None else ObjectId(id)
        return None

    def signature_of(self, handle: bytes) -> Signature | None:
        """The signature of the object with that file handle, as :meth:`by_handle`, in one question."""
        for row in self._all(_SIGNATURE_OF, (self._synced, handle)):
            found: Signature = row
            return found
        return None

    def write(
        self,
        puts: Iterable[LocalRow],
        drops: Iterable[ObjectId] = (),
        mark: FactsMark | None = None,
        lately: int | None = None,
    ) -> None:
        """Set and forget objects in one transaction. A power cut or a kill may take the last of them back.

        ``mark``: the commit whose facts these are, if all that it changed is among them; ``lately``: see :meth:`lately`, None: as
        it was."""
        rows, ids = [_storable(row) for row in puts], [(id,) for id in drops]
        if ids:
            self.pages.forget(id for (id,) in ids)

        def change(connection: apsw.Connection) -> None:
            if ids:
                connection.executemany("delete from object where id = ?", ids)
            _PUT.run(connection, rows)
            if mark is not None:
                query(connection, _PUT_VALUE, (_MARK, _NUMBER.pack(mark.number) + mark.digest))
            if lately is not None:
                query(connection, _PUT_VALUE, (_LATELY, _NUMBER.pack(lately)))

        if rows or ids or mark is not None:
            self._write(change, len(rows) + len(ids))

    def prints(self, first: int, last: int) -> dict[int, bytes]:
        """What is known of a device's chunks with these numbers; see ``chunking.device_prints``."""
        return dict(self._all(_PRINTS, (first, last)))

    def put_prints(self, prints: Sequence[tuple[int, bytes]]) -> None:
        """Keep what was seen of a device's chunks. A power cut or a kill may take it back: each says by itself what it is of."""
        if prints:
            self._write(lambda connection: _PUT_PRINT.run(connection, prints), len(prints))

    def unkept(self) -> dict[int, tuple[int, list[ObjectId]]]:
        """What a standby's filesystem did not keep: by bits, how many objects have them, and the first of these."""
        counts = self._all("select unkept, count(*) from object where unkept <> 0 group by unkept", ())
        return {bits: (count, [id for (id,) in self._all(_FIRST_UNKEPT, (bits,))]) for bits, count in counts}

    @property
    def vouched(self) -> int:
        """Stats from before this moment are taken as clean, ns of the kernel's clock; 0: none are by that alone."""
        return self._synced

    def forget_objects(self) -> None:
        """Forget every object, and since when stats were clean; names of chunks and other values stay."""

        def change(connection: apsw.Connection) -> None:
            query(connection, "delete from object")
            query(connection, "delete from value where key = ?", (_SYNCED,))

        self._write(change)
        self._synced = 0

    def mark(self) -> FactsMark | None:
        """The commit up to which the facts hold; None: nothing says so."""
        stored = self.value(_MARK)
        if stored is None:
            return None
        return FactsMark(CommitNumber(_NUMBER.unpack_from(stored)[0]), stored[_NUMBER.size :])

    def lately(self) -> int | None:
        """What changed in the ten minutes before the last facts were written has no ctime below this, ns of the wall clock, or
        no fact yet; None: nobody said so. See ``doubt.Lately``."""
        stored = self.value(_LATELY)
        found: int | None = None if stored is None else _NUMBER.unpack(stored)[0]
        return found

    def settle(self) -> FactsMark | None:
        """Make all that was written durable; the mark as it is on the disk then, or an earlier one."""
        mark = self.mark()
        if mark is not None:
            self.set_value(_SETTLED, _NUMBER.pack(mark.number), durable=True)
        return mark

    def vouch(self, synced: int, mark: FactsMark) -> None:
        """Every fact whose stat is of before ``synced`` (ns of the kernel's clock) is clean, and the facts hold up to ``mark``.

        To be said after a sync of the objects' filesystem that began at ``synced``, less the grain of its clock (law 5): so
        what a standby was made of is known without a look at any of its objects. It costs the same for a million facts."""

        def change(connection: apsw.Connection) -> None:
            query(connection, _PUT_VALUE, (_SYNCED, _NUMBER.pack(synced)))
            query(connection, _PUT_VALUE, (_MARK, _NUMBER.pack(mark.number) + mark.digest))

        self._write(change, 2)
        self._synced = synced

    def doubt(self, ids: Iterable[ObjectId] | None = None) -> None:
        """Believe no stat of these objects any more (None: of none), until they are read again."""
        if ids is None:
            self._write(lambda connection: query(connection, _DOUBT))
            return
        asked = [(id,) for id in ids]
        self._write(lambda connection: connection.executemany(_DOUBT + " where id = ?", asked))

    def doubt_changed_since(self, moment: int) -> None:
        """Believe no stat of objects that changed after a moment any more (ns of the kernel's clock). It goes over all facts."""
        self._write(lambda connection: query(connection, _DOUBT + " where ctime > ?", (moment,)))

    def value(self, key: str) -> bytes | None:
        """A named value."""
        for (data,) in self._all(_GET_VALUE, (key,)):
            found: bytes = data
            return found
        return None

    def set_value(self, key: str, value: bytes, durable: bool = False) -> None:
        """Set a named value; no kill takes it back. ``durable``: it survives a power cut once this returns, and so does all that
        was written before."""
        self._write(lambda connection: query(connection, _PUT_VALUE, (key, value)), durable=durable)

    def note_value(self, key: str, value: bytes) -> None:
        """Set a named value that a power cut or a kill may take back, as it may the facts beside it."""
        self._write(lambda connection: query(connection, _PUT_VALUE, (key, value)), 1)

    def keep(self) -> None:
        """What was written so far is taken back by no kill any more. To be called by whoever comes to rest."""
        self.pages.keep()
        if self._open:
            with self._lock:
                self._usable()
                self._commit()

    def _write(self, change: Callable[[apsw.Connection], object], rows: int = _ROWS, *, durable: bool = False) -> None:
        """``rows``: how many the change is of; from ``_ROWS`` on it waits for no other."""
        with self._lock:
            self._usable()
            if durable:
                self._commit()
                self._durably(change)
                return
            self._add(change, rows)
            if self._open_rows >= _ROWS or self._now() - self._opened_at >= _SECONDS:
                try:
                    self._commit()
                except HikaeError:
                    self._open.pop()
                    raise

    def _usable(self) -> None:
        if self._failed:
            reason, remedy = "an earlier write failed", "see the kernel log for the disk; it is opened anew"
            raise StoreFailed("write the local facts", self.path, reason, remedy)

    def _add(self, change: Callable[[apsw.Connection], object], rows: int) -> None:
        """One change more in the open transaction, or in a new one."""
        with self._failures():
            self._restore()
            if not self._open:
                query(self._connection, "begin immediate")
                self._open_rows, self._opened_at = 0, self._now()
            try:
                with self._connection:
                    change(self._connection)
            except BaseException:
                if not self._open and self._connection.in_transaction:
                    query(self._connection, "rollback")
                raise
        self._open.append(change)
        self._open_rows += rows

    def _restore(self) -> None:
        """A full disk takes a whole transaction back: what it held is done once more, in a new one."""
        if self._open and not self._connection.in_transaction:
            query(self._connection, "begin immediate")
            for change in self._open:
                change(self._connection)

    def _commit(self) -> None:
        if not self._open:
            return
        with self._failures():
            self._restore()
            query(self._connection, "commit")
        self._open.clear()

    def _durably(self, change: Callable[[apsw.Connection], object]) -> None:
        with self._failures():
            self._connection.pragma("synchronous", int(Synchronous.FULL))
            try:
                with self._connection:
                    change(self._connection)
            finally:
                self._connection.pragma("synchronous", int(Synchronous.NORMAL))

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """What an error of SQLite's means to who writes: after any but a full disk nothing is written through this any more."""
        try:
            yield
        except apsw.Error as error:
            mapped = failure(error, "write the local facts", self.path)
            self._failed = isinstance(mapped, StoreFailed)
            raise mapped from error

    # SQLite's values have the types of the schema; apsw cannot know them.
    def _all(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            try:
                self._restore()
                return query(self._connection, sql, arguments)
            except apsw.Error as error:
                raise failure(error, "read the local facts", self.path) from error


def _as_row(row: tuple[Any, ...], synced: int) -> LocalRow:
    id, handle, ino, ctime, mtime, size, clean, prints, unkept = row
    return LocalRow(id, handle, ino, ctime, mtime, size, bool(clean) or 0 < ctime < synced, prints, unkept)


def _storable(row: LocalRow) -> LocalRow:
    if _LEAST <= row.mtime <= _MOST and row.ino <= _MOST and row.ctime <= _MOST:
        return row
    return row._replace(ino=min(row.ino, _MOST), ctime=0, mtime=max(_LEAST, min(row.mtime, _MOST)), clean=False)
