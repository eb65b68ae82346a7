"""What is owed: versions of objects that were sealed although some of their content could not be read where it is, and is not
here (law 9). It is told with the commit that brings the row, ends with that version, or when the content comes after all.

A dataset is a tree or a device: what a device owes is told by its chunks' numbers where this says objects.
"""

from __future__ import annotations

from typing import Any, Protocol

import apsw

from agent.core.ids import CommitNumber, ObjectId
from agent.core.rows import content_of
from agent.store.sqlite import query

FORGET = "delete from owed where object = ? and until = ?"
_COUNT = "select count(*) from owed where until > ?1 and since <= ?1"
_ONE = "select 1 from owed where object = ?1 and until > ?2 and since <= ?2 limit 1"
_PAGE = "select object from owed where object > ?1 and until > ?2 and since <= ?2 order by object limit ?3"
_STAGED = """
select row from object where id = ?1 and until = 9223372036854775807 and since = ?2
union all
select row from chunk where number = ?1 and until = 9223372036854775807 and since = ?2
"""
_STAGED_PAGE = """
select id, row from object where id > ?1 and until = 9223372036854775807 and since = ?2
union all
select number, row from chunk where number > ?1 and until = 9223372036854775807 and since = ?2 order by 1 limit ?3
"""
_STAGED_OWED = """
select object from owed where object > ?1 and until = 9223372036854775807 and since = ?2 order by object limit ?3
"""
#: A version of an object and what is owed of it end together.
_VERSIONS = """
select w.until, o.row from owed w join object o on o.id = w.object and o.until = w.until where w.object = ?1
union all
select w.until, c.row from owed w join chunk c on c.number = w.object and c.until = w.until where w.object = ?1
order by 1 desc
"""


class Owed(Protocol):
    """Questions for whoever reads a catalog; ``at`` None is the newest sealed commit. All raise as its other methods do."""

    def owed_count(self, at: CommitNumber | None = None) -> int:
        """How many objects are not all here."""
        found: int = self._all(_COUNT, (self._at(at),))[0][0]
        return found

    def owes(self, id: ObjectId, at: CommitNumber | None = None) -> bool:
        """Whether this object is not all here."""
        return bool(self._all(_ONE, (id, self._at(at))))

    def owed(self, after: int = 0, limit: int = 1000, at: CommitNumber | None = None) -> list[ObjectId]:
        """At most ``limit`` of them with an id above ``after``, rising."""
        return [ObjectId(id) for (id,) in self._all(_PAGE, (after, self._at(at), limit))]

    def staged_file(self, id: ObjectId, number: CommitNumber) -> bytes | None:
        """The row that the coming commit brings of an object."""
        for (row,) in self._all(_STAGED, (id, number)):
            found: bytes = row
            return found
        return None

    def staged_files(self, number: CommitNumber, after: int, limit: int = 1000) -> list[tuple[ObjectId, bytes]]:
        """``(id, row)`` of objects that the coming commit brings, with an id above ``after``, rising."""
        return self._all(_STAGED_PAGE, (after, number, limit))

    def staged_owed(self, number: CommitNumber, after: int = 0, limit: int = 1000) -> list[ObjectId]:
        """What the coming commit brings and is to owe, with an id above ``after``, rising."""
        return [ObjectId(id) for (id,) in self._all(_STAGED_OWED, (after, number, limit))]

    # What ``Reading`` has.
    def _at(self, at: CommitNumber | None) -> CommitNumber: ...

    def _all(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]: ...  # Any: as in ``Reading``


def forget_debt(connection: apsw.Connection, id: ObjectId) -> None:
    """The content of an object's living version is here, and with it that of every older version with the same."""
    living: bytes | None = None
    for until, row in query(connection, _VERSIONS, (id,)):
        content = content_of(row)
        living = content if living is None else living
        if content == living:
            query(connection, FORGET, (id, until))
