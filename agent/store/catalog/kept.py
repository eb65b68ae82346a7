"""Which moments of the catalog can be read: those of the last hours, from the *horizon* on, and before it the commits that
somebody keeps (generations, marks, holds, checkpoints, positions of peers, leases of who reads).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import apsw

from agent.core.ids import NOTHING, CommitNumber
from agent.store.sqlite import query

#: Whoever keeps the rows of a commit goes on to keep them until it lets go.
_PUT = """
insert into kept (number, owner, label, time, rows) values (?, ?, ?, ?, ?)
on conflict do update set label = excluded.label, time = excluded.time, rows = max(rows, excluded.rows)
"""
_LET_GO = "delete from kept where owner = ? and number = ?"
_KEPT = "select number, owner, label, time, rows from kept where (?1 is null or owner = ?1) order by number, owner"
_READABLE = "select distinct number from kept where rows order by number"
_KEPT_BY_NOBODY = """
select number from commits where number < ? and number not in (select number from kept) order by number limit ?
"""
_IS_READABLE = "select 1 from kept where number = ? and rows limit 1"


@dataclass(frozen=True, slots=True)
class KeptCommit:
    """A commit that ``owner`` keeps, since ``time`` (UTC ns). Several may keep one, and each lets go of its own only.

    ``rows``: its state stays readable; else only what the commit says of itself (number, times, digest, label)."""

    number: CommitNumber
    owner: str
    label: str = ""
    time: int = 0
    rows: bool = True


class Kept(Protocol):
    """Questions for whoever reads a catalog. All raise as its other methods do."""

    def horizon(self) -> CommitNumber:
        """From here on every moment can be read; before it only what is kept."""
        for (number,) in self._all("select value from meta where key = 'horizon'", ()):
            return CommitNumber(number)
        return NOTHING

    def is_readable(self, at: CommitNumber) -> bool:
        """Whether the state at a commit can be read: no row of it was pruned."""
        return at >= self.horizon() or bool(self._all(_IS_READABLE, (at,)))

    def kept(self, owner: str | None = None) -> list[KeptCommit]:
        """What ``owner``, or anybody, keeps, by number."""
        return [
            KeptCommit(CommitNumber(number), owner, label, time, bool(rows))
            for number, owner, label, time, rows in self._all(_KEPT, (owner,))
        ]

    def readable_before_horizon(self) -> tuple[int, ...]:
        """The kept commits whose rows stay, rising."""
        return tuple(number for (number,) in self._all(_READABLE, ()))

    def judged(self) -> CommitNumber:
        """Of the rows that ended by here those that nobody can read are gone."""
        for (number,) in self._all("select value from meta where key = 'judged'", ()):
            return CommitNumber(number)
        return NOTHING

    def kept_by_nobody(self, before: CommitNumber, limit: int) -> list[CommitNumber]:
        """The first commits before ``before`` that nobody keeps."""
        return [CommitNumber(number) for (number,) in self._all(_KEPT_BY_NOBODY, (before, limit))]

    # What ``Reading`` has.
    def _all(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]: ...  # Any: as in ``Reading``


def keep_for_owners(connection: apsw.Connection, commits: Iterable[KeptCommit]) -> None:
    """These are kept from now on; one that its owner keeps already gets the new label and time."""
    rows = [(one.number, one.owner, one.label, one.time, one.rows) for one in commits]
    connection.executemany(_PUT, rows)


def give_up(connection: apsw.Connection, owner: str, numbers: Sequence[CommitNumber]) -> None:
    """Its owner keeps these no more; what only they see is to be judged anew."""
    connection.executemany(_LET_GO, [(owner, number) for number in numbers])
    query(connection, "update meta set value = min(value, ?) where key = 'judged'", (min(numbers),))


def set_judged(connection: apsw.Connection, upto: CommitNumber) -> None:
    """See ``Kept.judged``."""
    query(connection, "insert or replace into meta values ('judged', ?)", (upto,))
