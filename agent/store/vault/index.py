"""The vault's index: chunk name → place in a pack. It can be rebuilt from the packs at any time.

New entries wait in memory until their records are durable; so the database never points behind what it says is durable,
and a crash leaves it at most behind the packs, never ahead.

``old`` has the packs in which a record of a name lies that does not count any more: while one of them is there, a tombstone that
lies behind it must stay.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Iterable, Iterator, Sequence

import apsw

from agent.core.errors import Damaged
from agent.store.sqlite import Insert, Synchronous, ensure_schema, failure, open_database, query, settle_log
from agent.store.vault.pack import PackEnd, Place

_APPLICATION = 0x68696B69  #: "hiki", in the database header
_VERSION = 3
_CACHE_KIB = 24_576
_TABLES = """
create table place (
    name blob primary key, pack integer not null, offset integer not null,
    kind integer not null, codec integer not null, raw integer not null, stored integer not null, depth integer not null
) without rowid;
create table base (name blob not null, patch blob not null, primary key (name, patch)) without rowid;
create table old (name blob not null, pack integer not null, primary key (name, pack)) without rowid;
create table durable (only integer primary key check (only = 1), pack integer not null, offset integer not null);
insert into durable values (1, 0, 0);
"""
_PLACE = "select pack, offset, kind, codec, raw, stored, depth from place where name = ?"
_HELD = "select value from carray(?) where exists (select 1 from place where name = value)"
_PLACES = """
select name, pack, offset, kind, codec, raw, stored, depth from carray(?) asked join place on place.name = asked.value
"""
_PUT = Insert("insert or replace into place values", "(?, ?, ?, ?, ?, ?, ?, ?)")
_PATCHES = "select patch from base where name = ?"
_PERHAPS_BASELESS = """
select distinct patch from base where not exists (select 1 from place where place.name = base.name)
and exists (select 1 from place where place.name = base.patch)
"""
_HAS_OLD = "select 1 from sqlite_schema where type = 'table' and name = 'old'"
_NOTE_OLD = "insert or ignore into old values (?, ?)"
_REPLACED = "insert or ignore into old select name, pack from place where name in (select value from carray(?))"
_OLD = "select name, pack from old where name in (select value from carray(?))"
_OLD_PAGE = "select name, pack from old where (name, pack) > (?, ?) order by name, pack limit ?"
_PAGE = "select name, pack, offset, kind, codec, raw, stored, depth from place where name > ? order by name limit ?"


class Index:
    """Not thread-safe; the vault's lock guards it. Methods raise ``Damaged`` when the database is."""

    @classmethod
    def open(cls, path: str) -> Index:
        """Open or create. Raises ``Damaged`` (then :func:`remove_index` it and open again; so for one of a build that did not
        know where old records lie), ``TryAgain``, ``StoreFailed``."""
        connection = open_database(path, Synchronous.NORMAL, _CACHE_KIB)
        try:
            ensure_schema(connection, path, _APPLICATION, _VERSION, _TABLES)
            if not query(connection, _HAS_OLD):
                raise Damaged("open the vault's index", path, "an earlier build wrote it", "it is made anew")
            pack, offset = query(connection, "select pack, offset from durable")[0]
            empty = not query(connection, "select 1 from place limit 1")
        except apsw.Error as error:
            connection.close(True)
            raise failure(error, "open the vault's index", path) from error
        except BaseException:
            connection.close(True)
            raise
        return cls(path, connection, PackEnd(pack, offset), empty)

    def __init__(self, path: str, connection: apsw.Connection, durable: PackEnd, empty: bool) -> None:
        """``durable``: up to where the packs are durable and wholly in the database, which may be ``empty``."""
        self.path = path
        self.durable = durable
        self._connection = connection
        self._is_empty = empty
        self._pending: dict[bytes, Place] = {}
        self._bases: dict[bytes, tuple[bytes, ...]] = {}
        #: Names that wait and may have a place in the database, and the packs of places that are replaced in memory.
        self._again: set[bytes] = set()
        self._old: list[tuple[bytes, int]] = []

    def close(self) -> None:
        """What waits is dropped: it is found in the packs again."""
        self._connection.close(True)

    def missing(self, names: Sequence[bytes]) -> list[bytes]:
        """Those of ``names`` that are not there, in their order."""
        asked = [name for name in names if name not in self._pending]
        if not asked or self._is_empty:
            return asked
        try:
            held = {name for (name,) in query(self._connection, _HELD, (apsw.carray(tuple(asked)),))}
        except apsw.Error as error:
            raise self._failure(error) from error
        return [name for name in asked if name not in held] if held else asked

    def place(self, name: bytes) -> Place | None:
        """Where the chunk is."""
        place = self._pending.get(name)
        if place is not None:
            return place
        try:
            for row in query(self._connection, _PLACE, (name,)):
                return Place(*row)
        except apsw.Error as error:
            raise self._failure(error) from error
        return None

    def places(self, names: Sequence[bytes]) -> list[tuple[bytes, Place]]:
        """Where those of these chunks are that are there, in one question."""
        waiting = [(name, self._pending[name]) for name in names if name in self._pending]
        asked = [name for name in names if name not in self._pending] if waiting else names
        try:
            rows = query(self._connection, _PLACES, (apsw.carray(tuple(asked)),)) if asked else ()
        except apsw.Error as error:
            raise self._failure(error) from error
        return [*waiting, *((row[0], Place(*row[1:])) for row in rows)]

    def put(self, name: bytes, place: Place, bases: tuple[bytes, ...] = ()) -> None:
        """A record was appended; it waits for :meth:`flush`. Places must rise. ``bases``: what it is a patch of."""
        self._pending[name] = place
        if bases:
            self._bases[name] = bases
        else:
            self._bases.pop(name, None)

    def put_again(self, name: bytes, place: Place, bases: tuple[bytes, ...] = ()) -> None:
        """:meth:`put` for a name that may have a place already, whose record does not count any more."""
        waiting = self._pending.pop(name, None)
        if waiting is not None:
            self._old.append((name, waiting.pack))
        self._again.add(name)
        self.put(name, place, bases)

    def patches_of(self, name: bytes) -> list[bytes]:
        """Chunks that were stored as patches of this one; some may have been forgotten or stored anew since."""
        try:
            found: list[bytes] = [row[0] for row in query(self._connection, _PATCHES, (name,))]
        except apsw.Error as error:
            raise self._failure(error) from error
        return found + [patch for patch, bases in self._bases.items() if name in bases and patch not in found]

    def waiting(self) -> int:
        """How many entries wait in memory."""
        return len(self._pending)

    def flush(self, durable: PackEnd, most: int = sys.maxsize) -> bool:
        """Everything before ``durable`` is durable in the packs: write what waits there, at most ``most`` entries; whether that
        was all. Raises ``TryAgain`` (disk full)."""
        if durable < self.durable:
            return True
        ready: list[tuple[bytes, int, int, int, int, int, int, int]] = []
        upto = durable
        for name, p in self._pending.items():
            if (p.pack, p.offset) >= (durable.pack, durable.offset):
                break
            if len(ready) >= most:
                upto = PackEnd(p.pack, p.offset)
                break
            ready.append((name, p.pack, p.offset, p.kind, p.codec, p.raw_length, p.stored_length, p.depth))
        names = [row[0] for row in ready]
        edges = [(base, name) for name in names for base in self._bases.get(name, ())] if self._bases else []
        again = [name for name in names if name in self._again] if self._again else []
        ready.sort()
        try:
            with self._connection:
                self._note_old(again, [])
                _PUT.run(self._connection, ready)
                self._connection.executemany("insert or ignore into base values (?, ?)", edges)
                query(self._connection, "update durable set pack = ?, offset = ?", (upto.pack, upto.offset))
        except apsw.Error as error:
            raise self._failure(error) from error
        self._is_empty = self._is_empty and not ready
        self.durable = upto
        self._old.clear()
        self._again.difference_update(again)
        for name in names:
            del self._pending[name]
        for _, name in edges:
            self._bases.pop(name, None)
        return upto == durable

    def _note_old(self, replaced: list[bytes], waiting: list[tuple[bytes, int]]) -> None:
        """The places of these in the database, and those in memory, do not count any more."""
        if replaced:
            query(self._connection, _REPLACED, (apsw.carray(tuple(replaced)),))
        if self._old or waiting:
            self._connection.executemany(_NOTE_OLD, self._old + waiting)

    def settle_ahead(self) -> None:
        """Do most of what :meth:`settle` does, by a connection of its own: whoever has the lock of this one need not wait. Any
        thread. Raises as that."""
        try:
            other = open_database(self.path, Synchronous.NORMAL, 256, create=False)
            try:
                other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            finally:
                other.close(True)
        except apsw.Error as error:
            raise self._failure(error) from error

    def settle(self) -> None:
        """What was written and forgotten so far is so after a power cut too. Raises ``TryAgain`` (disk full), ``StoreFailed``."""
        try:
            settle_log(self._connection)
        except apsw.Error as error:
            raise self._failure(error) from error

    def forget(self, names: Iterable[bytes], staying: Sequence[bytes]) -> None:
        """Drop entries; unknown ones are no error. ``staying``: those whose records stay where they lie, which is noted."""
        gone = list(names)
        waiting = [(name, place.pack) for name in staying if (place := self._pending.get(name)) is not None]
        try:
            with self._connection:
                self._note_old(list(staying), waiting)
                self._connection.executemany("delete from place where name = ?", [(name,) for name in gone])
        except apsw.Error as error:
            raise self._failure(error) from error
        self._old.clear()
        for name in gone:
            self.drop_waiting(name)

    def retire(self, name: bytes) -> None:
        """Drop an entry that waits in memory, whose record stays where it lies; one that does not wait is no error."""
        place = self._pending.get(name)
        if place is not None:
            self._old.append((name, place.pack))
        self.drop_waiting(name)

    def old_places(self, names: Sequence[bytes]) -> list[tuple[bytes, int]]:
        """``(name, pack)`` of the records of these that do not count any more; packs may have gone since."""
        try:
            found: list[tuple[bytes, int]] = query(self._connection, _OLD, (apsw.carray(tuple(names)),))
        except apsw.Error as error:
            raise self._failure(error) from error
        asked = set(names)
        return found + [one for one in self._old if one[0] in asked]

    def drop_old(self, packs: Container[int], after: tuple[bytes, int], limit: int) -> tuple[bytes, int] | None:
        """One slice: old records of packs that are none of ``packs`` are not known any more; where the next slice begins."""
        try:
            page: list[tuple[bytes, int]] = query(self._connection, _OLD_PAGE, (*after, limit))
            gone = [one for one in page if one[1] not in packs]
            if gone:
                with self._connection:
                    self._connection.executemany("delete from old where name = ? and pack = ?", gone)
        except apsw.Error as error:
            raise self._failure(error) from error
        return page[-1] if len(page) == limit else None

    def drop_waiting(self, name: bytes) -> None:
        """Drop an entry that waits in memory; one that does not is no error."""
        self._pending.pop(name, None)
        self._bases.pop(name, None)
        self._again.discard(name)

    def perhaps_baseless(self) -> list[bytes]:
        """Written chunks that once were patches of what is not there; as which they lie now their records say."""
        try:
            return [name for (name,) in query(self._connection, _PERHAPS_BASELESS)]
        except apsw.Error as error:
            raise self._failure(error) from error

    def page(self, after: bytes, limit: int) -> list[tuple[bytes, Place]]:
        """At most ``limit`` flushed entries with a name greater than ``after``, by name."""
        try:
            rows = query(self._connection, _PAGE, (after, limit))
        except apsw.Error as error:
            raise self._failure(error) from error
        return [(row[0], Place(*row[1:])) for row in rows]

    def unflushed(self) -> list[tuple[bytes, Place]]:
        """The entries that wait."""
        return list(self._pending.items())

    def _failure(self, error: apsw.Error) -> Exception:
        return failure(error, "use the vault's index", self.path)


def remove_index(path: str) -> None:
    """Delete an index that is damaged or behind what can be caught up."""
    for name in (path, path + "-wal", path + "-shm"):
        if os.path.exists(name):
            os.unlink(name)


def entries_in_order(entries: Iterable[tuple[bytes, Place]]) -> Iterator[tuple[bytes, Place]]:
    """Entries in the order in which they lie in the packs, so that the disk reads forwards."""
    yield from sorted(entries, key=lambda entry: (entry[1].pack, entry[1].offset))


def count_of(path: str) -> int:
    """How many written entries an index has, over a connection of its own: counting reads all of it."""
    try:
        other = open_database(path, Synchronous.NORMAL, _CACHE_KIB, create=False)
        try:
            found: int = query(other, "select count(*) from place")[0][0]
        finally:
            other.close()
    except apsw.Error as error:
        raise failure(error, "use the vault's index", path) from error
    return found
