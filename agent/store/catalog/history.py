"""Whole states of the catalog, and what lies between two of them.

What began or ended between two moments is found by the indexes on ``since`` and ``until`` and gathered in a
temporary table, which SQLite keeps on disk; then it is read back in batches. So memory is bounded, the order is
total, and no read transaction lives longer than a batch: rows as of sealed commits do not change, except by pruning,
which every batch checks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol, TypeAlias

import apsw

from agent.core.errors import NotFound
from agent.core.ids import NOTHING, CommitNumber, shown_commit
from agent.core.rows import encode_name, name_key, object_key
from agent.store.catalog.schema import FOREVER
from agent.store.sqlite import query

Difference: TypeAlias = tuple[bytes, bytes | None, bytes | None]

#: Run once on a connection before anything here.
SCRATCH = """
create temp table changed_object (run integer, id integer, primary key (run, id)) without rowid;
create temp table changed_name (run integer, parent integer, name blob, primary key (run, parent, name)) without rowid;
"""

_GATHER_OBJECTS = """
insert or ignore into temp.changed_object select ?1, id from object where since > ?2 and since <= ?3;
insert or ignore into temp.changed_object select ?1, id from object
where until > ?2 and until <= ?3 and until < 9223372036854775807;
"""
_GATHER_NAMES = """
insert or ignore into temp.changed_name select ?1, parent, name from name where since > ?2 and since <= ?3;
insert or ignore into temp.changed_name select ?1, parent, name from name
where until > ?2 and until <= ?3 and until < 9223372036854775807;
"""
_CHANGED_OBJECTS = "select id from temp.changed_object where run = ? and id > ? order by id limit ?"
_CHANGED_NAMES = """
select parent, name from temp.changed_name where run = ? and (parent, name) > (?, ?) order by parent, name limit ?
"""
_OBJECTS_OF_BOTH = """
select c.id,
  (select row from object where id = c.id and until > ?2 and since <= ?2 limit 1),
  (select row from object where id = c.id and until > ?3 and since <= ?3 limit 1)
from temp.changed_object c where run = ?1 and c.id > ?4 order by c.id limit ?5
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
_OBJECTS_AT = """
select id, row from object
where id > ?1 and since <= ?2 and until > ?2 order by id limit ?3
"""
#: The entries of one directory at a moment, by name: those that live, and those that ended later (the plus keeps SQLite from
#: walking the past by name).
CHILDREN = """
select name, object from name where parent = ?1 and until = 9223372036854775807 and name > ?2 and since <= ?3
union all
select name, object from name
where parent = ?1 and until > ?3 and until < 9223372036854775807 and +name > ?2 and since <= ?3
order by name limit ?4
"""
_NEXT_PARENT = "select min(parent) from name where parent > ?"

_ANY_ENDED = """
select 1 where exists (select 1 from object where until > ?1 and until <= ?2 and until < 9223372036854775807)
or exists (select 1 from name where until > ?1 and until <= ?2 and until < 9223372036854775807)
"""
_BEGUN_OBJECTS = """
select since, id, row from object where (since, id) > (?1, ?2) and since <= ?3 order by since, id limit ?4
"""
_BEGUN_NAMES = """
select since, parent, name, object from name
where (since, parent, name) > (?1, ?2, ?3) and since <= ?4 order by since, parent, name limit ?5
"""

_runs = itertools.count(1)


class Pruned(Protocol):
    """Who knows which moments can be read (``catalog.kept``)."""

    def horizon(self) -> CommitNumber: ...

    def is_readable(self, at: CommitNumber) -> bool: ...


def difference(
    pruned: Pruned, connection: apsw.Connection, a: CommitNumber, b: CommitNumber, batch: int
) -> Iterator[list[Difference]]:
    """See ``CatalogReader.difference``."""
    if a == NOTHING:
        for rows in _objects_at(pruned, connection, b, batch):
            yield [(object_key(id), None, row) for id, row in rows]
        for names in _names_at(pruned, connection, b, batch):
            yield [(name_key(p, name), None, encode_name(p, name, id)) for p, name, id in names]
        return
    if a < b and not query(connection, _ANY_ENDED, (a, b)):
        yield from _only_begun(pruned, connection, a, b, batch)
        return
    run = _gather(pruned, connection, a, b)
    try:
        yield from _different_objects(pruned, connection, run, a, b, batch)
        yield from _different_names(pruned, connection, run, a, b, batch)
    finally:
        _forget(connection, run)


def _only_begun(
    pruned: Pruned, connection: apsw.Connection, a: CommitNumber, b: CommitNumber, batch: int
) -> Iterator[list[Difference]]:
    """Nothing ended between the two, as in a first sync: what began is all there is to it, and nothing need be gathered."""
    since, id = a, FOREVER
    while objects := query(connection, _BEGUN_OBJECTS, (since, id, b, batch)):
        _reach(pruned, a, b)
        since, id = objects[-1][:2]
        yield [(object_key(each), None, row) for _, each, row in objects]
    at = (a, FOREVER, b"")
    while names := query(connection, _BEGUN_NAMES, (*at, b, batch)):
        _reach(pruned, a, b)
        at = names[-1][:3]
        yield [(name_key(parent, name), None, encode_name(parent, name, each)) for _, parent, name, each in names]
    _reach(pruned, a, b)


def touched(
    pruned: Pruned, connection: apsw.Connection, a: CommitNumber, b: CommitNumber, batch: int
) -> Iterator[list[bytes]]:
    """See ``CatalogReader.touched``."""
    run = _gather(pruned, connection, a, b)
    try:
        last = -1
        while objects := query(connection, _CHANGED_OBJECTS, (run, last, batch)):
            last = objects[-1][0]
            yield [object_key(id) for (id,) in objects]
        parent, name = -1, b""
        while names := query(connection, _CHANGED_NAMES, (run, parent, name, batch)):
            parent, name = names[-1]
            yield [name_key(*key) for key in names]
    finally:
        _forget(connection, run)


def rows_at(pruned: Pruned, connection: apsw.Connection, at: CommitNumber, batch: int) -> Iterator[list[bytes]]:
    """See ``CatalogReader.rows_at``."""
    for objects in _objects_at(pruned, connection, at, batch):
        yield [row for _, row in objects]
    for names in _names_at(pruned, connection, at, batch):
        yield [encode_name(parent, name, id) for parent, name, id in names]


def _gather(pruned: Pruned, connection: apsw.Connection, a: CommitNumber, b: CommitNumber) -> int:
    """Collect the keys that changed between the two under a new run number."""
    low, high = min(a, b), max(a, b)
    _reach(pruned, low, high)
    run = next(_runs)
    with connection:
        query(connection, _GATHER_OBJECTS, (run, low, high) * 2)
        query(connection, _GATHER_NAMES, (run, low, high) * 2)
    _reach(pruned, low, high)
    return run


def _forget(connection: apsw.Connection, run: int) -> None:
    """Clear a run's scratch; a connection that was closed meanwhile took it along."""
    with suppress(apsw.ConnectionClosedError):
        query(connection, "delete from temp.changed_object where run = ?", (run,))
        query(connection, "delete from temp.changed_name where run = ?", (run,))


def _different_objects(
    pruned: Pruned, connection: apsw.Connection, run: int, a: CommitNumber, b: CommitNumber, batch: int
) -> Iterator[list[Difference]]:
    last = -1
    while True:
        rows = query(connection, _OBJECTS_OF_BOTH, (run, a, b, last, batch))
        _reach(pruned, a, b)
        if not rows:
            return
        last = rows[-1][0]
        if found := [(object_key(id), old, new) for id, old, new in rows if old != new]:
            yield found


def _different_names(
    pruned: Pruned, connection: apsw.Connection, run: int, a: CommitNumber, b: CommitNumber, batch: int
) -> Iterator[list[Difference]]:
    parent, name = -1, b""
    while True:
        rows = query(connection, _NAMES_OF_BOTH, (run, a, b, parent, name, batch))
        _reach(pruned, a, b)
        if not rows:
            return
        parent, name = rows[-1][:2]
        found = [(name_key(p, n), _name_row(p, n, old), _name_row(p, n, new)) for p, n, old, new in rows if old != new]
        if found:
            yield found


def _objects_at(
    pruned: Pruned, connection: apsw.Connection, at: CommitNumber, batch: int
) -> Iterator[list[tuple[int, bytes]]]:
    last = -1
    while True:
        rows = query(connection, _OBJECTS_AT, (last, at, batch))
        _reach(pruned, at)
        if not rows:
            return
        last = rows[-1][0]
        yield rows


def _names_at(
    pruned: Pruned, connection: apsw.Connection, at: CommitNumber, batch: int
) -> Iterator[list[tuple[int, bytes, int]]]:
    """Directory by directory: nothing is ordered by parent and name but what lives in one."""
    gathered: list[tuple[int, bytes, int]] = []
    parent: int | None = 0
    while parent is not None:
        name = b""
        while rows := query(connection, CHILDREN, (parent, name, at, batch)):
            name = rows[-1][0]
            gathered += [(parent, name, id) for name, id in rows]
            if len(gathered) >= batch:
                _reach(pruned, at)
                yield gathered
                gathered = []
        parent = query(connection, _NEXT_PARENT, (parent,))[0][0]
    _reach(pruned, at)
    if gathered:
        yield gathered


def _name_row(parent: int, name: bytes, object_id: int | None) -> bytes | None:
    return None if object_id is None else encode_name(parent, name, object_id)


def _reach(pruned: Pruned, *moments: CommitNumber) -> None:
    for at in moments:
        if at != NOTHING and not pruned.is_readable(at):
            reason = f"history before {shown_commit(pruned.horizon())} is gone, and nobody keeps that commit"
            raise NotFound("read the catalog", shown_commit(at), reason)
