"""Rows through time: what the names of a catalog stood for, where objects stood, and what they were, whenever that was.

All of this goes by what is kept anyway: a name that is asked for wherever it may be is a scan of all names, whose filter SQLite
applies (a million take less than a tenth of a second), so that a first sync writes no index for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from agent.core.ids import ObjectId
from agent.store.catalog.schema import FOREVER

_PAGE = 1000
_STOOD_FOR = """
select parent, name, since, until, object from name where parent = ?1 and until = 9223372036854775807 and name = ?2
union all
select parent, name, since, until, object from name indexed by name_ended
where parent = ?1 and name = ?2 and until < 9223372036854775807
"""
_IN_DIRECTORY = """
select parent, name, since, until, object from name where parent = ?1 and (until, name) > (?2, ?3)
order by until, name limit ?4
"""
_OF_OBJECT = """
select parent, name, since, until, object from name where object = ?1 and until > ?2 and since < ?3
order by until desc limit ?4
"""
_SCAN = """
select parent, name, since, until, object from name where (parent, until, name) > (?1, ?2, ?3) FILTER
order by parent, until, name limit ?4
"""
_ANY, _EXACT, _HOLDING = (
    _SCAN.replace("FILTER", condition)
    for condition in ("and ?5 is not null", "and name = ?5", "and instr(name, ?5) > 0")
)
_VERSIONS = """
select since, until, row from object where id = ?1 and until > ?2 and since < ?3 order by until limit ?4
"""


class TimedName(NamedTuple):
    """In ``parent``, ``name`` stood for ``object`` from the commit ``since`` until ``until`` (``FOREVER``: still)."""

    parent: ObjectId
    name: bytes
    since: int
    until: int
    object: ObjectId


class ThroughTime(Protocol):
    """Questions for ``CatalogReader``, answered with rows of any time: also with those of moments that cannot be read. All raise
    as its other methods do."""

    def stood_for(self, parent: ObjectId, name: bytes) -> list[TimedName]:
        """Everything that this name in this directory stood for, in no order."""
        return [TimedName(*row) for row in self._all(_STOOD_FOR, (parent, name))]

    def entries_through(self, parent: ObjectId) -> Iterator[TimedName]:
        """Everything that ever stood in a directory, the oldest first."""
        until, name = -1, b""
        while rows := self._all(_IN_DIRECTORY, (parent, until, name, _PAGE)):
            yield from (TimedName(*row) for row in rows)
            _, name, _, until, _ = rows[-1]

    def stood_at(self, id: ObjectId, since: int, until: int, most: int) -> list[TimedName]:
        """The names that an object had in ``[since, until)``, at most so many: the newest."""
        return [TimedName(*row) for row in self._all(_OF_OBJECT, (id, since, until, most))]

    def names_scanned(self, name: bytes, is_whole: bool) -> Iterator[list[TimedName]]:
        """All names that are ``name``, or, where it is not ``is_whole``, hold these bytes, by directory."""
        sql = _EXACT if is_whole else _HOLDING if name else _ANY
        parent, until, last = -1, -1, b""
        while rows := self._all(sql, (parent, until, last, _PAGE, name)):
            yield [TimedName(*row) for row in rows]
            parent, last, _, until, _ = rows[-1]

    def versions(self, id: ObjectId, since: int, until: int) -> Iterator[tuple[int, int, bytes]]:
        """``(since, until, row)`` of an object that lived in ``[since, until)``, the oldest first."""
        after = since
        while rows := self._all(_VERSIONS, (id, after, until, _PAGE)):
            yield from rows
            after = rows[-1][1]
            if after == FOREVER:
                return

    # What ``Reading`` has.
    def _all(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]: ...  # Any: as in ``Reading``
