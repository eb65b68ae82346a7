"""Where a difference is sorted: a nameless database of its own, so that memory is bounded however much differs.

Rows of objects and names come in by their ids; names that went and names that came are paired by their object, and what came of
it is given back by path.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple, TypeAlias

import apsw

from agent.core.ids import ObjectId
from agent.store.sqlite import failure, query

#: ``(object, old row, new row)``.
ObjectDifference: TypeAlias = tuple[int, bytes | None, bytes | None]
#: ``(object, 0: it went, 1: it came, parent, name)``.
NameDifference: TypeAlias = tuple[int, int, int, bytes]
#: ``(object, parent and name before, parent and name after, old row, new row)``; None where there is none.
Pair: TypeAlias = tuple[
    ObjectId, ObjectId | None, bytes | None, ObjectId | None, bytes | None, bytes | None, bytes | None
]


class PathEntry(NamedTuple):
    """What is to be told of a path, see ``Change``. ``object`` stands, or stood, there in ``parent`` (0: unknown)."""

    path: bytes
    kind: str
    source: bytes | None
    old: bytes | None
    new: bytes | None
    names: int
    parent: int
    object: int


_TABLES = """
pragma journal_mode = off;
create table object (id integer primary key, old blob, new blob);
create table name (
    object integer, came integer, parent integer, name blob, primary key (object, came, parent, name)
) without rowid;
create table entry (
    path blob, kind text, source blob, old blob, new blob, names integer, parent integer, object integer, way blob
);
"""
_PAIRS = """
with numbered as (
  select object, came, parent, name,
    row_number() over (partition by object, came order by parent, name) as place
  from name
), paired as (
  select object,
    max(iif(came, null, parent)) as old_parent, max(iif(came, null, name)) as old_name,
    max(iif(came, parent, null)) as new_parent, max(iif(came, name, null)) as new_name
  from numbered group by object, place
)
select p.object, p.old_parent, p.old_name, p.new_parent, p.new_name, o.old, o.new
from paired p left join object o on o.id = p.object
"""
_BOTH = "select id, old, new from object where old is not null and new is not null"
#: A directory comes before all that is below it, and that before all else: no name holds a zero byte.
_ENTRIES = "select path, kind, source, old, new, names, parent, object from entry order by way, kind"


class Scratch:
    """A context manager, for one thread. Methods raise ``TryAgain`` (disk full), ``StoreFailed``."""

    def __init__(self) -> None:
        self._connection: apsw.Connection | None = None

    def __enter__(self) -> Scratch:
        try:
            self._connection = apsw.Connection("")
            query(self._connection, _TABLES)
        except apsw.Error as error:
            raise self._failure(error) from error
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close(True)

    def add_objects(self, rows: list[ObjectDifference]) -> None:
        """Objects that changed, came or went."""
        self._put("insert into object values (?, ?, ?)", rows)

    def add_names(self, rows: list[NameDifference]) -> None:
        """Names that went or came."""
        self._put("insert into name values (?, ?, ?, ?)", rows)

    def add_entries(self, rows: list[PathEntry]) -> None:
        """What is to be told."""
        ways = [(*row, row.path.replace(b"/", b"\0")) for row in rows]
        self._put("insert into entry values (?, ?, ?, ?, ?, ?, ?, ?, ?)", ways)

    def pairs(self) -> Iterator[Pair]:
        """Of each object the names that went beside those that came, as many as there are of each."""
        return self._rows(_PAIRS)

    def changed_objects(self) -> Iterator[tuple[ObjectId, bytes, bytes]]:
        """The objects that are there at both moments and have another row."""
        return self._rows(_BOTH)

    def entries(self) -> Iterator[PathEntry]:
        """What is to be told, by path, what is in a directory right behind it."""
        return map(PathEntry._make, self._rows(_ENTRIES))

    def _put(self, sql: str, rows: list[Any]) -> None:  # Any: each statement has its own rows
        assert self._connection is not None
        if not rows:
            return
        try:
            with self._connection:
                self._connection.executemany(sql, rows)
        except apsw.Error as error:
            raise self._failure(error) from error

    def _rows(
        self, sql: str
    ) -> Iterator[Any]:  # Any: SQLite's values have the types of the tables; apsw cannot know them
        assert self._connection is not None
        try:
            yield from self._connection.execute(sql)
        except apsw.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: apsw.Error) -> Exception:
        return failure(error, "sort a difference", "a temporary file")
