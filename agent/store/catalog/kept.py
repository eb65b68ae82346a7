"""Which moments of the catalog can be read: those of the last hours, from the *horizon* on, and before it the commits that
somebody keeps (generations, marks, holds, checkpoints, positions of peers, leases of who reads).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

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
#: Whether ``one``, a row of ``commits``, goes when history is thinned: one of the same second follows that is worth as much.
PASSED_OVER = """
(kind = 0 and label = '' and parent <> 0 and not exists (select 1 from epoch where first = one.number) and exists (
    select 1 from (select time, consistent from commits where number > one.number order by number limit 1) as next
    where next.time / 1000000000 = one.time / 1000000000 and next.consistent >= one.consistent))
"""
_STAYS = f"select not {PASSED_OVER} from commits as one where number = ?"  # noqa: S608 - the text above
_REACH = "select key, value from meta where key in ('horizon', 'thinning', 'thinned', 'rows_thinned')"


@dataclass(frozen=True, slots=True)
class KeptCommit:
    """A commit that ``owner`` keeps, since ``time`` (UTC ns). Several may keep one, and each lets go of its own only.

    ``rows``: its state stays readable; else only what the commit says of itself (number, times, digest, label)."""

    number: CommitNumber
    owner: str
    label: str = ""
    time: int = 0
    rows: bool = True


class Reach(NamedTuple):
    """From ``horizon`` on moments can be read: up to ``thinned`` the last one of each second, from ``thinning`` on every one; of
    what is between the same will be said. The rows that only thinned commits saw are gone up to ``rows_thinned``."""

    horizon: CommitNumber = NOTHING
    thinning: CommitNumber = NOTHING
    thinned: CommitNumber = NOTHING
    rows_thinned: CommitNumber = NOTHING


class Kept(Protocol):
    """Questions for whoever reads a catalog. All raise as its other methods do."""

    def horizon(self) -> CommitNumber:
        """From here on moments can be read; before it only what is kept."""
        return self.reach().horizon

    def reach(self) -> Reach:
        """How far back moments can be read, and how many."""
        return Reach(**dict(self._all(_REACH, ())))

    def is_readable(self, at: CommitNumber) -> bool:
        """Whether the state at a commit can be read: no row of it was pruned."""
        return self.unreadable((at,)) is None

    def unreadable(self, moments: Iterable[CommitNumber]) -> CommitNumber | None:
        """The first of these commits that :meth:`is_readable` says no of."""
        reach = self.reach()
        return next((at for at in moments if not self._is_within(at, reach)), None)

    def _is_within(self, at: CommitNumber, reach: Reach) -> bool:
        if at >= max(reach.horizon, reach.thinning) or at == reach.horizon == NOTHING:
            return True
        if at >= reach.horizon and self._stays(at, reach):
            return True
        return bool(self._all(_IS_READABLE, (at,)))

    def readable_up_to(self, number: CommitNumber) -> CommitNumber:
        """The newest commit not after ``number`` that stays when history is thinned; ``number`` itself where that is not
        thinned. A few steps: at most a second of commits."""
        while number >= self.horizon() and not self.is_readable(number):
            before = self._all("select max(number) from commits where number < ?", (number,))[0][0]
            if before is None:
                return NOTHING
            number = CommitNumber(before)
        return number

    def _stays(self, at: CommitNumber, reach: Reach) -> bool:
        """Of a commit before ``reach.thinning``."""
        found = self._all(_STAYS, (at,))
        return bool(found) and (at < reach.thinned or bool(found[0][0]))

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


def set_thinned(connection: apsw.Connection, upto: CommitNumber) -> None:
    """See ``Reach.thinned``."""
    query(connection, "insert or replace into meta values ('thinned', ?)", (upto,))


def set_rows_thinned(connection: apsw.Connection, upto: CommitNumber) -> None:
    """See ``Reach.rows_thinned``."""
    query(connection, "insert or replace into meta values ('rows_thinned', ?)", (upto,))


def set_judged(connection: apsw.Connection, upto: CommitNumber) -> None:
    """See ``Kept.judged``."""
    query(connection, "insert or replace into meta values ('judged', ?)", (upto,))
