"""Whole states of the catalog, and what lies between two of them.

What began or ended between two moments is found by the indexes on ``since`` and ``until`` and gathered in a
temporary table, which SQLite keeps on disk; then it is read back in batches. So memory is bounded, the order is
total, and no read transaction lives longer than a batch: rows as of sealed commits do not change, except by pruning,
which every batch checks. Each kind of rows (``row_tables``) goes the same way.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import apsw

from agent.core.errors import NotFound
from agent.core.ids import NOTHING, CommitNumber, shown_commit
from agent.core.rows import chunk_key, encode_name, name_key, object_key
from agent.store.catalog.row_tables import CHUNKS, EVERY_KIND, OBJECTS, Difference, RowTables
from agent.store.catalog.schema import FOREVER
from agent.store.sqlite import query

#: Run once on a connection before anything here.
SCRATCH = "\n".join(table.scratch for table in EVERY_KIND.tables)

#: The entries of one directory at a moment, by name: those that live, and those that ended later (the plus keeps SQLite from
#: walking the past by name).
CHILDREN = """
select name, object from name where parent = ?1 and until = 9223372036854775807 and name > ?2 and since <= ?3
union all
select name, object from name
where parent = ?1 and until > ?3 and until < 9223372036854775807 and +name > ?2 and since <= ?3
order by name limit ?4
"""
#: The same, each with its object's row, and whether that object has a further name.
ENTRIES = f"""
select found.name, found.object, held.row,
    1 < (select count(*) from (
        select 1 from name as other where other.object = found.object and other.until > ?3 and other.since <= ?3 limit 2))
from ({CHILDREN}) as found cross join object as held
where held.id = found.object and held.until = (
    select min(until) from object as version where version.id = found.object and version.until > ?3)
and held.since <= ?3 order by found.name
"""  # noqa: S608 - the text above
NEXT_PARENT = "select min(parent) from name where parent > ?"

_runs = itertools.count(1)


class Pruned(Protocol):
    """Who knows which kinds of rows there are, and which moments can be read (``catalog.kept``)."""

    def row_tables(self) -> RowTables:
        """The kinds."""
        ...

    def horizon(self) -> CommitNumber: ...

    def unreadable(self, moments: Iterable[CommitNumber]) -> CommitNumber | None: ...


@dataclass(frozen=True, slots=True)
class _Asking:
    """One question. ``moments``: that must be readable until it is answered."""

    pruned: Pruned
    connection: apsw.Connection
    moments: tuple[CommitNumber, ...]
    batch: int

    def pages(self, sql: str, fixed: tuple[int, ...], first: tuple[int | bytes, ...]) -> Iterator[list[Any]]:
        """What a statement of ``row_tables`` gives, page by page, while the moments can be read. A page that is not full is the
        last; that none follows a full one is believed only while the moments can be read still."""
        page: list[Any] = []
        for page in self.gathered(sql, fixed, first):
            self.reach()
            yield page
        if len(page) in (0, self.batch):
            self.reach()

    def gathered(self, sql: str, fixed: tuple[int, ...], first: tuple[int | bytes, ...]) -> Iterator[list[Any]]:
        """The same of what nobody prunes."""
        at = first
        while rows := query(self.connection, sql, (*fixed, *at, self.batch)):
            at = rows[-1][: len(first)]
            yield rows
            if len(rows) < self.batch:
                return

    def reach(self) -> None:
        """Raises ``NotFound`` for a moment that nobody keeps any more."""
        gone = self.pruned.unreadable(at for at in self.moments if at != NOTHING)
        if gone is not None:
            reason = f"history before {shown_commit(self.pruned.horizon())} is gone, and nobody keeps that commit"
            raise NotFound("read the catalog", shown_commit(gone), reason)


def difference(
    pruned: Pruned, connection: apsw.Connection, a: CommitNumber, b: CommitNumber, batch: int
) -> Iterator[list[Difference]]:
    """See ``CatalogReader.difference``."""
    asking = _Asking(pruned, connection, (min(a, b), max(a, b)), batch)
    if a == NOTHING:
        yield from _all_as_new(asking, b)
    elif a < b and not query(connection, pruned.row_tables().any_ended, (a, b)):
        yield from _only_begun(asking, a, b)
    else:
        run = _gather(asking, a, b)
        try:
            for table in pruned.row_tables().tables:
                for page in asking.pages(table.both, (run, a, b), table.first):
                    if found := table.differences(page):
                        yield found
        finally:
            _forget(asking, run)


def _all_as_new(asking: _Asking, at: CommitNumber) -> Iterator[list[Difference]]:
    for objects in asking.pages(OBJECTS.at, (at,), OBJECTS.first):
        yield [(object_key(id), None, row) for id, row in objects]
    for names in _names_at(asking, at):
        yield [(name_key(p, name), None, encode_name(p, name, id)) for p, name, id in names]
    for chunks in asking.pages(CHUNKS.at, (at,), CHUNKS.first):
        yield [(chunk_key(number), None, row) for number, row in chunks]


def _only_begun(asking: _Asking, a: CommitNumber, b: CommitNumber) -> Iterator[list[Difference]]:
    """Nothing ended between the two, as in a first sync: what began is all there is to it, and nothing need be gathered."""
    for table in asking.pruned.row_tables().tables:
        behind = (FOREVER, *table.first[1:])
        for page in asking.pages(table.begun, (b,), (a, *behind)):
            yield table.news(page)


def touched(
    pruned: Pruned, connection: apsw.Connection, a: CommitNumber, b: CommitNumber, batch: int
) -> Iterator[list[bytes]]:
    """See ``CatalogReader.touched``."""
    asking = _Asking(pruned, connection, (min(a, b), max(a, b)), batch)
    run = _gather(asking, a, b)
    try:
        for table in pruned.row_tables().tables:
            for page in asking.gathered(table.changed, (run,), table.first):
                yield table.keys(page)
    finally:
        _forget(asking, run)


def rows_at(pruned: Pruned, connection: apsw.Connection, at: CommitNumber, batch: int) -> Iterator[list[bytes]]:
    """See ``CatalogReader.rows_at``."""
    asking = _Asking(pruned, connection, (at,), batch)
    for objects in asking.pages(OBJECTS.at, (at,), OBJECTS.first):
        yield [row for _, row in objects]
    for names in _names_at(asking, at):
        yield [encode_name(parent, name, id) for parent, name, id in names]
    for chunks in asking.pages(CHUNKS.at, (at,), CHUNKS.first):
        yield [row for _, row in chunks]


def _names_at(asking: _Asking, at: CommitNumber) -> Iterator[list[tuple[int, bytes, int]]]:
    """Directory by directory: nothing is ordered by parent and name but what lives in one."""
    gathered: list[tuple[int, bytes, int]] = []
    parent: int | None = 0
    while parent is not None:
        name = b""
        while rows := query(asking.connection, CHILDREN, (parent, name, at, asking.batch)):
            name = rows[-1][0]
            gathered += [(parent, name, id) for name, id in rows]
            if len(gathered) >= asking.batch:
                asking.reach()
                yield gathered
                gathered = []
        parent = query(asking.connection, NEXT_PARENT, (parent,))[0][0]
    asking.reach()
    if gathered:
        yield gathered


def _gather(asking: _Asking, a: CommitNumber, b: CommitNumber) -> int:
    """Collect the keys that changed between the two under a new run number."""
    low, high = min(a, b), max(a, b)
    asking.reach()
    run = next(_runs)
    with asking.connection:
        for table in asking.pruned.row_tables().tables:
            query(asking.connection, table.gather, (run, low, high) * 2)
    asking.reach()
    return run


def _forget(asking: _Asking, run: int) -> None:
    """Clear a run's scratch; a connection that was closed meanwhile took it along."""
    with suppress(apsw.ConnectionClosedError):
        for table in asking.pruned.row_tables().tables:
            query(asking.connection, table.forget, (run,))
