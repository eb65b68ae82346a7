"""Generations as the catalog has them: a commit that is kept beyond history, under a name, and what is known of how it was taken.

The commit itself is kept like any other (``catalog.kept``), once for the owner ``generation``, however many generations stand for
it: a source at rest gives many of one commit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import apsw

from agent.core.commit import Quiesced
from agent.core.errors import Damaged
from agent.core.ids import NOTHING, CommitNumber
from agent.store.sqlite import query

#: Who keeps the commits of generations.
OWNER = "generation"

_COLUMNS = (
    "name, number, label, pinned, taken, dated, immutable_until, cause, reached, stood_still, incomplete, note, hooks"
)
_IS_THERE = "select 1 from sqlite_schema where type = 'table' and name = 'generation'"
_TOGETHER_IS_THERE = "select 1 from sqlite_schema where type = 'table' and name = 'together'"
_ORDER = "order by dated, number, taken, length(name), name"
_ALL = f"select {_COLUMNS}, '' from generation {_ORDER}"  # noqa: S608 - columns above
_ALL_TOGETHER = f"select {_COLUMNS}, coalesce(moment, '') from generation left join together using (name) {_ORDER}"  # noqa: S608
_PUT = f"insert or replace into generation ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_DROP = "delete from generation where name = ?"
_PUT_TOGETHER = "insert or replace into together (name, moment) values (?, ?)"
_DROP_TOGETHER = "delete from together where name = ?"
_CLOCK = "select now, wall, since_boot, boot from retention"
_SET_CLOCK = "insert or replace into retention values (1, ?, ?, ?, ?)"
_PASSED = "select number from passed where retained <= ? order by retained desc limit 1"
_SINCE = "select min(retained) from passed where number >= ?"
_NOTE_PASSED = "insert or replace into passed values (?, ?)"
#: The newest of those before it answers for them.
_FORGET_PASSED = "delete from passed where retained < (select max(retained) from passed where retained <= ?)"
_STILL_NAMED = "select distinct number from generation"


class Cause(StrEnum):
    """Why a generation was taken; the texts are stored and shown."""

    SCHEDULE = "schedule"
    DEMAND = "demand"
    #: Before something that overwrites what stood.
    BEFORE = "before"
    #: A small part of what would trip the brake was deleted or rewritten.
    BRAKE = "brake"


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation. ``name``: the second of ``taken`` (UTC ns, by this node's clock); ``number``: the commit that it is;
    ``dated``, ``immutable_until``: by the retention clock (ns; 0: it may be expired at once); ``reached``: how far the source
    stood still for it, and for how long: ``stood_still`` (ns); ``incomplete``: objects that are not all here; ``note``: what else
    a person must know of it; ``hooks``: what each of the operator's programs said, as JSON, "" for none; ``together``: what
    the generations of other datasets have too that are of the same moment (``GROUP/NAME``), "" where it is of its own."""

    name: str
    number: CommitNumber
    taken: int
    dated: int
    cause: Cause
    label: str = ""
    pinned: bool = False
    immutable_until: int = 0
    reached: Quiesced = Quiesced.FILE
    stood_still: int = 0
    incomplete: int = 0
    note: str = ""
    hooks: str = ""
    together: str = ""

    @property
    def group(self) -> str:
        """Whose moment it is, "" where it is of its own."""
        return self.together.rpartition("/")[0]

    @property
    def moment(self) -> str:
        """The name of that moment."""
        return self.together.rpartition("/")[2]


class GenerationRows(Protocol):
    """Questions for whoever reads a catalog. All raise as its other methods do."""

    def generations(self) -> list[Generation]:
        """Every generation, the oldest first. Raises ``Damaged`` for one that cannot be."""
        # A reader may meet a catalog that an agent of before this table has left.
        if not self._all(_IS_THERE, ()):
            return []
        rows = self._all(_ALL_TOGETHER if self._all(_TOGETHER_IS_THERE, ()) else _ALL, ())
        return [_as_generation(row) for row in rows]

    def retention_row(self) -> tuple[int, int, int, str] | None:
        """``(now, wall, since boot, boot)`` as the retention clock was written last."""
        if not self._all(_IS_THERE, ()):
            return None
        rows: list[tuple[int, int, int, str]] = self._all(_CLOCK, ())
        return rows[0] if rows else None

    def passed_before(self, retained: int) -> CommitNumber:
        """The commit that was the newest here when the retention clock was last seen to show ``retained`` (ns) or less;
        ``NOTHING`` where that is not known."""
        for (number,) in self._all(_PASSED, (retained,)) if self._all(_IS_THERE, ()) else ():
            return CommitNumber(number)
        return NOTHING

    def newest_since(self, number: CommitNumber) -> int | None:
        """When, by the retention clock (ns), ``number`` or a later commit was first the newest here; None where that is
        not known."""
        rows: list[tuple[int | None]] = self._all(_SINCE, (number,)) if self._all(_IS_THERE, ()) else []
        return rows[0][0] if rows else None

    # What ``Reading`` has.
    def _all(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]: ...  # Any: as in ``Reading``


def put_generations(connection: apsw.Connection, generations: Iterable[Generation]) -> None:
    """These are as they are said to be; one of the same name is replaced."""
    put = list(generations)
    connection.executemany(_PUT, [_as_row(one) for one in put])
    connection.executemany(_PUT_TOGETHER, [(one.name, one.together) for one in put if one.together])


def set_retention(connection: apsw.Connection, row: tuple[int, int, int, str]) -> None:
    """See ``GenerationRows.retention_row``."""
    query(connection, _SET_CLOCK, row)


def note_passed(connection: apsw.Connection, retained: int, number: CommitNumber, before: int) -> None:
    """``number`` is the newest commit now that the retention clock shows ``retained``; what is older than ``before`` (ns) need
    not be known any more."""
    query(connection, _NOTE_PASSED, (retained, number))
    query(connection, _FORGET_PASSED, (before,))


def drop_generations(connection: apsw.Connection, names: Iterable[str]) -> set[int]:
    """Those of these names are no more; the commits that some generation still stands for."""
    gone = [(name,) for name in names]
    connection.executemany(_DROP, gone)
    connection.executemany(_DROP_TOGETHER, gone)
    return {number for (number,) in query(connection, _STILL_NAMED)}


def _as_row(one: Generation) -> tuple[Any, ...]:  # Any: what SQLite takes
    kept = (one.name, one.number, one.label, one.pinned, one.taken, one.dated, one.immutable_until)
    return (*kept, one.cause, one.reached, one.stood_still, one.incomplete, one.note, one.hooks)


def _as_generation(row: tuple[Any, ...]) -> Generation:  # Any: what SQLite gives
    name, number, label, pinned, taken, dated, until, cause, reached, still, incomplete, note, hooks, together = row
    try:
        return Generation(
            name,
            CommitNumber(number),
            taken,
            dated,
            Cause(cause),
            label,
            bool(pinned),
            until,
            Quiesced(reached),
            still,
            incomplete,
            note,
            hooks,
            together,
        )
    except ValueError as error:
        remedy = "move the catalog away and start again"
        raise Damaged("read the catalog", "", f"a generation that cannot be ({error})", remedy) from error
