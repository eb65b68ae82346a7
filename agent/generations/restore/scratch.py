"""What a restore must remember until its end, in bounded memory: directories whose metadata comes last, further names of files,
large files that are made in stretches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apsw

from agent.core.ids import ObjectId
from agent.store.sqlite import query

_TABLES = """
create table directory (at integer primary key, id integer not null, raw blob not null);
create table link (at integer primary key, parent integer not null, name blob not null, raw blob not null);
create table changed (
    parent integer not null, name blob not null, whole integer not null, primary key (parent, name)
) without rowid;
create table large (at integer primary key, parent integer not null, name blob not null, raw blob not null);
"""
_IS_WHOLE = "select 1 from changed where parent = ? and name = ? and whole"
_CHANGED = """
insert into changed values (?, ?, ?) on conflict do update set whole = max(whole, excluded.whole)
"""
_BATCH = 1000


class LaterEntry(NamedTuple):
    """An entry that something remains to be done for."""

    parent: ObjectId
    name: bytes
    raw: bytes


class RestoreScratch:
    """A nameless database of its own; memory has a few pages of it. For one thread."""

    def __init__(self) -> None:
        self._connection = apsw.Connection("")
        query(self._connection, _TABLES)
        self._rows: dict[str, list[tuple[Any, ...]]] = {"directory": [], "link": [], "large": []}

    def close(self) -> None:
        """Forget all."""
        self._connection.close(True)

    def directory(self, id: ObjectId, raw: bytes) -> None:
        """A directory was made, or stands; those below it come after it."""
        self._add("directory", (id, raw))

    def link(self, one: LaterEntry) -> None:
        """A further name."""
        self._add("link", one)

    def large(self, one: LaterEntry) -> None:
        """A file that is made in stretches."""
        self._add("large", one)

    def directories(self) -> Iterator[tuple[ObjectId, bytes]]:
        """``(id, row)`` of every directory, those below one before it."""
        self._flush("directory")
        at = (1 << 62,)
        sql = "select at, id, raw from directory where at < ? order by at desc limit ?"
        while rows := query(self._connection, sql, (*at, _BATCH)):
            yield from ((ObjectId(id), raw) for _, id, raw in rows)
            at = rows[-1][:1]

    def links(self) -> Iterator[LaterEntry]:
        """Every further name."""
        return self._later("link")

    def changed(self, names: Iterable[tuple[ObjectId, bytes, bool]]) -> None:
        """Names that are to be looked at; with True, what stands below one as a whole."""
        with self._connection:
            self._connection.executemany(_CHANGED, names)

    def changed_in(self, after: ObjectId) -> tuple[ObjectId, list[tuple[bytes, bool]]] | None:
        """The next directory in which names are to be looked at, and these; None after the last."""
        found = query(self._connection, "select min(parent) from changed where parent > ?", (after,))
        parent = found[0][0]
        if parent is None:
            return None
        rows = query(self._connection, "select name, whole from changed where parent = ? order by name", (parent,))
        return ObjectId(parent), [(name, bool(whole)) for name, whole in rows]

    def is_whole(self, parent: ObjectId, name: bytes) -> bool:
        """Whether what stands below a name is looked at as a whole."""
        return bool(query(self._connection, _IS_WHOLE, (parent, name)))

    def larges(self) -> Iterator[LaterEntry]:
        """Every file that is made in stretches."""
        return self._later("large")

    def _later(self, table: str) -> Iterator[LaterEntry]:
        self._flush(table)
        at = 0
        sql = f"select at, parent, name, raw from {table} where at > ? order by at limit ?"  # noqa: S608 - ours
        while rows := query(self._connection, sql, (at, _BATCH)):
            yield from (LaterEntry(ObjectId(parent), name, raw) for _, parent, name, raw in rows)
            at = rows[-1][0]

    def _add(self, table: str, row: tuple[Any, ...]) -> None:
        rows = self._rows[table]
        rows.append(row)
        if len(rows) >= _BATCH:
            self._flush(table)

    def _flush(self, table: str) -> None:
        rows, self._rows[table] = self._rows[table], []
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            with self._connection:
                self._connection.executemany(f"insert into {table} values (null, {marks})", rows)  # noqa: S608
