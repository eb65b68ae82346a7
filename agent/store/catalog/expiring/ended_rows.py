"""Rows that ended, in the order of their ends: how they are found a slice at a time, and deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

EndedKey: TypeAlias = tuple[Any, ...]  # Any: integers and bytes, as SQLite gives them
#: ``(since, until, row or None, key …)``
Ended: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class EndedRows:
    """One table of rows that end: how the next ones are found, in the order of ``until`` and then their key, which is above
    ``first``; how one is deleted."""

    select: str
    delete: str
    first: EndedKey


_OBJECTS = EndedRows(
    # No object with a shorter row names parts of a list.
    """select since, until, case when length(row) >= 120 then row end, id from object
    where (until, id) > (?2, ?3) and until <= ?1 and until < 9223372036854775807 order by until, id limit ?4""",
    "delete from object where until = ? and id = ?",
    (-1,),
)
_NAMES = EndedRows(
    """select since, until, null, parent, name from name
    where (until, parent, name) > (?2, ?3, ?4) and until <= ?1 and until < 9223372036854775807
    order by until, parent, name limit ?5""",
    "delete from name where until = ? and parent = ? and name = ?",
    (-1, b""),
)
_CHUNKS = EndedRows(
    """select since, until, null, number from chunk
    where (until, number) > (?2, ?3) and until <= ?1 and until < 9223372036854775807 order by until, number limit ?4""",
    "delete from chunk where until = ? and number = ?",
    (-1,),
)
#: There are few, so they need no index by time.
_OWED = EndedRows(
    """select since, until, null, object from owed
    where (until, object) > (?2, ?3) and until <= ?1 and until < 9223372036854775807 order by until, object limit ?4""",
    "delete from owed where until = ? and object = ?",
    (-1,),
)
#: All of them.
ENDED_ROWS = (_OBJECTS, _NAMES, _CHUNKS, _OWED)
