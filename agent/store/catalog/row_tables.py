"""The three tables of rows: what each is asked for when a whole state is read, or what lies between two.

Each table is paged through by its ``key`` columns. Its statements take what stays the same first, then the key after which to
go on, then how many rows; and give the key's columns first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import apsw

from agent.core.rows import chunk_key, encode_name, name_key, object_key
from agent.store.sqlite import query

#: ``(key, row before, row after)``; None where there is none.
Difference: TypeAlias = tuple[bytes, bytes | None, bytes | None]
#: SQLite's values have the types of the schema; apsw cannot know them.
_Page: TypeAlias = list[Any]

_SCRATCH = "create temp table changed_{table} (run integer, {typed}, primary key (run, {key})) without rowid;"
_GATHER = """
insert or ignore into temp.changed_{table} select ?1, {key} from {table} where since > ?2 and since <= ?3;
insert or ignore into temp.changed_{table} select ?1, {key} from {table}
where until > ?2 and until <= ?3 and until < 9223372036854775807;
"""
_FORGET = "delete from temp.changed_{table} where run = ?"
_ANY_ENDED = "exists (select 1 from {table} where until > ?1 and until <= ?2 and until < 9223372036854775807)"
_CHANGED_ONES = "select {key} from temp.changed_{table} where run = ?1 and {key} > ?2 order by {key} limit ?3"
_BOTH = """
select c.{key},
  (select row from {table} where {key} = c.{key} and until > ?2 and since <= ?2 limit 1),
  (select row from {table} where {key} = c.{key} and until > ?3 and since <= ?3 limit 1)
from temp.changed_{table} c where run = ?1 and c.{key} > ?4 order by c.{key} limit ?5
"""
_BEGUN = """
select since, {key}, row from {table} where (since, {key}) > (?2, ?3) and since <= ?1 order by since, {key} limit ?4
"""
_AT = "select {key}, row from {table} where {key} > ?2 and since <= ?1 and until > ?1 order by {key} limit ?3"

_CHANGED_NAMES = """
select parent, name from temp.changed_name where run = ?1 and (parent, name) > (?2, ?3) order by parent, name limit ?4
"""
#: What a name stood for at a moment: it lives since then, or ended later.
_NAMES_OF_BOTH = """
select c.parent, c.name,
  coalesce(
    (select object from name
     where parent = c.parent and until = 9223372036854775807 and name = c.name and since <= ?2),
    (select object from name indexed by name_ended where parent = c.parent and name = c.name
     and until > ?2 and until < 9223372036854775807 and since <= ?2 limit 1)),
  coalesce(
    (select object from name
     where parent = c.parent and until = 9223372036854775807 and name = c.name and since <= ?3),
    (select object from name indexed by name_ended where parent = c.parent and name = c.name
     and until > ?3 and until < 9223372036854775807 and since <= ?3 limit 1))
from temp.changed_name c where run = ?1 and (c.parent, c.name) > (?4, ?5) order by c.parent, c.name limit ?6
"""
_BEGUN_NAMES = """
select since, parent, name, object from name
where (since, parent, name) > (?2, ?3, ?4) and since <= ?1 order by since, parent, name limit ?5
"""


@dataclass(frozen=True, slots=True)
class RowTable:
    """One kind of rows. ``gather`` (run, after, upto) collects the keys with a row that began or ended between, ``forget`` (run)
    drops them; ``any_ended`` (after, upto): a condition, that any ended. ``changed`` pages through what was gathered, ``both``
    through that with its rows at two moments, ``begun`` through what began since a moment, in that order; ``first`` comes before
    every key. ``at`` pages through a state; names have none, they are read by directory. The functions make keys and differences
    of a page."""

    scratch: str
    gather: str
    forget: str
    any_ended: str
    changed: str
    both: str
    begun: str
    at: str
    first: tuple[int | bytes, ...]
    keys: Callable[[_Page], list[bytes]]
    differences: Callable[[_Page], list[Difference]]
    news: Callable[[_Page], list[Difference]]


def _numbered(table: str, column: str, key: Callable[[int], bytes]) -> RowTable:
    """Rows that are kept as their bytes under one number."""

    def of(sql: str) -> str:
        return sql.format(table=table, key=column, typed=f"{column} integer")

    return RowTable(
        scratch=of(_SCRATCH),
        gather=of(_GATHER),
        forget=of(_FORGET),
        any_ended=of(_ANY_ENDED),
        changed=of(_CHANGED_ONES),
        both=of(_BOTH),
        begun=of(_BEGUN),
        at=of(_AT),
        first=(-1,),
        keys=lambda page: [key(number) for (number,) in page],
        differences=lambda page: [(key(number), old, new) for number, old, new in page if old != new],
        news=lambda page: [(key(number), None, row) for _, number, row in page],
    )


def _named() -> RowTable:
    """Names: columns under two, and no row bytes."""

    def of(sql: str) -> str:
        return sql.format(table="name", key="parent, name", typed="parent integer, name blob")

    return RowTable(
        scratch=of(_SCRATCH),
        gather=of(_GATHER),
        forget=of(_FORGET),
        any_ended=of(_ANY_ENDED),
        changed=_CHANGED_NAMES,
        both=_NAMES_OF_BOTH,
        begun=_BEGUN_NAMES,
        at="",
        first=(-1, b""),
        keys=lambda page: [name_key(*key) for key in page],
        differences=lambda page: [
            (name_key(p, n), _name_row(p, n, old), _name_row(p, n, new)) for p, n, old, new in page if old != new
        ],
        news=lambda page: [(name_key(p, n), None, encode_name(p, n, id)) for _, p, n, id in page],
    )


def _name_row(parent: int, name: bytes, object_id: int | None) -> bytes | None:
    return None if object_id is None else encode_name(parent, name, object_id)


OBJECTS = _numbered("object", "id", object_key)
NAMES = _named()
CHUNKS = _numbered("chunk", "number", chunk_key)


class RowTables:
    """Kinds of rows, in the order of their rows. ``any_ended``: says whether any row of theirs ended, see ``RowTable``."""

    def __init__(self, *tables: RowTable) -> None:
        self.tables = tables
        self.any_ended = "select 1 where " + " or ".join(table.any_ended for table in tables)


EVERY_KIND = RowTables(OBJECTS, NAMES, CHUNKS)
_OF_A_TREE, _OF_A_DEVICE = RowTables(OBJECTS, NAMES), RowTables(CHUNKS)


def tables_of(connection: apsw.Connection) -> RowTables:
    """The kinds of rows that a catalog has: a tree's, or a device's; all while it has none. A question costs some 5 µs for each
    statement that finds nothing, and there are five for each kind."""
    if query(connection, "select 1 from object limit 1"):
        return _OF_A_TREE
    return _OF_A_DEVICE if query(connection, "select 1 from chunk limit 1") else EVERY_KIND
