"""Thinning: of what is older than some minutes the last commit of each second stays, and the rows that only the others see go.

::

    horizon ── thinned ────── thinning ────── whole ─── newest
        one a second   being thinned    every commit

Who begins to read once ``thinning`` was raised finds unreadable what is to go; who began before is met then and kept. Commits go
in rising order, so what is to go is known by the commit behind it alone. A commit stays that somebody keeps, that has a label,
that began an epoch or was no ordinary one, or that is consistent where the next one of its second is not.
"""

from __future__ import annotations

from typing import NamedTuple

import apsw

from agent.core.ids import NOTHING, CommitNumber
from agent.store.catalog import kept, leases, lists
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiring.ended_rows import ENDED_ROWS, Ended, EndedKey
from agent.store.sqlite import query

#: The next commits from one on, and of each whether it goes.
_NEXT = (
    f"select number, {kept.PASSED_OVER} from commits as one where number >= ? and number < ? order by number limit ?"  # noqa: S608
)
#: Whether a moment that can be read sees a row; those before the horizon can be read where somebody keeps them.
_SEEN = """
select exists (select 1 from commits where number >= max(?1, ?3) and number < ?2)
    or exists (select 1 from kept where rows and number >= ?1 and number < ?2)
"""


class _Place(NamedTuple):
    """Where the rows were looked at last: the table, and the key in it."""

    table: int
    at: EndedKey


class Thinning:
    """Belongs to whoever holds the catalog's writing side at the moment. What was done is in the catalog, so after a crash
    a part of it begins anew."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._place: _Place | None = None

    def begin_anew(self) -> None:
        """What was in memory of a turn that failed is not to be relied on."""
        self._place = None

    def turn(self, whole: CommitNumber, most: int) -> bool:
        """One slice, of ``most`` commits or rows; False when all before ``whole`` is thinned. Raises as ``Expiry.turn``."""
        reach = self._catalog.reach()
        if reach.thinned < reach.thinning:
            return self._thin_commits(reach, most)
        if reach.rows_thinned < reach.thinned:
            return self._thin_rows(reach, most)
        if reach.thinning >= whole:
            return False
        self._catalog.begin_thinning(whole)
        begun = [one for one in leases.readings(self._catalog.path) if reach.thinned <= one.number < whole]
        self._catalog.keep_leased(begun)
        return True

    def _thin_commits(self, reach: kept.Reach, most: int) -> bool:
        with self._catalog.between_commits("thin history", durable=False) as connection:
            found = query(connection, _NEXT, (max(reach.thinned, reach.horizon), reach.thinning, most))
            gone = [(number,) for number, goes in found if goes]
            connection.executemany(
                "delete from commits where number = ? and number not in (select number from kept)", gone
            )
            upto = found[-1][0] + 1 if len(found) == most else reach.thinning
            kept.set_thinned(connection, upto)
        return True

    def _thin_rows(self, reach: kept.Reach, most: int) -> bool:
        place = self._place or _Place(0, (max(reach.rows_thinned, reach.horizon) + 1, *ENDED_ROWS[0].first))
        table = ENDED_ROWS[place.table]
        with self._catalog.between_commits("thin history", durable=False) as connection:
            ended = query(connection, table.select, (reach.thinned, *place.at, most))
            gone = [row for row in ended if not _is_seen(connection, row, reach.horizon)]
            connection.executemany(table.delete, [(row[1], *row[3:]) for row in gone])
            lists.let_go(connection, [row[2] for row in gone if row[2] is not None])
            self._place = self._behind(reach, place, ended if len(ended) == most else [])
            if self._place is None:
                kept.set_rows_thinned(connection, reach.thinned)
        return True

    @staticmethod
    def _behind(reach: kept.Reach, place: _Place, full: list[Ended]) -> _Place | None:
        """Where the next slice begins; None behind the last table. ``full``: the rows of a slice that there may be more of."""
        if full:
            return _Place(place.table, (full[-1][1], *full[-1][3:]))
        following = place.table + 1
        if following == len(ENDED_ROWS):
            return None
        return _Place(following, (max(reach.rows_thinned, reach.horizon) + 1, *ENDED_ROWS[following].first))


def _is_seen(connection: apsw.Connection, row: Ended, horizon: CommitNumber) -> bool:
    return bool(query(connection, _SEEN, (row[0], row[1], max(horizon, NOTHING)))[0][0])
