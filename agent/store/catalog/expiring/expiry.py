"""Expiry: a row goes once no moment that can be read sees it, a commit once it is older than history and nobody keeps it.

Upkeep runs in slices between two commits, of so few rows that no commit waits for long. What was judged once is not judged again
until somebody lets go of a commit: so a slice costs what ended since, and not what is kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.errors import Refused
from agent.core.ids import NOTHING, CommitNumber, shown_commit
from agent.store.catalog import kept, leases, lists
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiring.ended_rows import ENDED_ROWS, Ended, EndedKey
from agent.store.catalog.expiring.thinning import Thinning
from agent.store.sqlite import query

#: Rows that one slice looks at: some 20 ms with five indexes each.
SLICE_ROWS = 500


@dataclass(frozen=True, slots=True)
class Horizons:
    """How far history is to reach: every moment from ``rows`` on can be read, and from ``commits`` on every commit is known by
    number, times, digest and label. ``commits`` is not after ``rows``. Before ``whole`` only the last commit of each second is
    kept."""

    rows: CommitNumber
    commits: CommitNumber
    whole: CommitNumber = NOTHING


#: Nothing goes.
ALL_HISTORY = Horizons(NOTHING, NOTHING)


def unseen(ended: Sequence[Ended], readable: Sequence[int]) -> list[Ended]:
    """Those of the rows, which all ended by the horizon, that none of the readable moments before it sees. ``readable`` rises."""
    found = []
    for row in ended:
        at = bisect_left(readable, row[0])
        if at == len(readable) or readable[at] >= row[1]:
            found.append(row)
    return found


@dataclass(slots=True)
class _Pass:
    """One way through all that ended after ``judged`` and by ``horizon``. ``moves``: how often somebody had let go before."""

    horizon: CommitNumber
    judged: CommitNumber
    readable: tuple[int, ...]
    moves: int
    table: int
    at: EndedKey


class Expiry:
    """Belongs to whoever holds the catalog's writing side at the moment."""

    def __init__(self, catalog: Catalog, slice_rows: int = SLICE_ROWS) -> None:
        """``slice_rows``: how many rows a slice looks at; may be changed between two."""
        self._catalog = catalog
        self.slice_rows = slice_rows
        self._pass: _Pass | None = None
        self._thinning = Thinning(catalog)

    def turn(self, wanted: Horizons) -> bool:
        """One slice of what is to go; False when nothing is left. From the first on no moment before ``wanted.rows`` can be read
        that nobody keeps.

        Raises ``Refused`` while a commit is staged or when ``wanted`` is ahead of the newest; ``TryAgain``, ``StoreFailed``."""
        newest = self._catalog.newest()
        if max(wanted.rows, wanted.commits, wanted.whole) > (newest.number if newest is not None else NOTHING):
            raise Refused("expire history", shown_commit(wanted.rows), "it is not sealed yet")
        try:
            return (
                self._expire_rows(wanted.rows)
                or self._thinning.turn(wanted.whole, self.slice_rows)
                or self._expire_commits(wanted.commits)
            )
        except BaseException:
            self._pass = None
            self._thinning.begin_anew()
            raise

    def _expire_rows(self, horizon: CommitNumber) -> bool:
        """A slice of the rows that ended before ``horizon`` goes; whether there may be more."""
        going = self._pass
        if going is None or going.moves != self._catalog.let_go_moves:
            going = self._pass = self._next_pass(horizon)
        if going is not None and self._slice(going):
            self._pass = None
        return going is not None

    def _next_pass(self, wanted: CommitNumber) -> _Pass | None:
        """None where all that ended by the horizon was judged.

        Who begins to read after the horizon was raised finds his moment unreadable; who began before is met here."""
        catalog = self._catalog
        self._end_leases()
        horizon, judged = max(wanted, catalog.horizon()), catalog.judged()
        if judged >= horizon:
            return None
        catalog.raise_horizon(horizon)
        begun = [one for one in leases.readings(catalog.path) if judged <= one.number < horizon]
        catalog.keep_leased(begun)
        readable, moves = catalog.readable_before_horizon(), catalog.let_go_moves
        return _Pass(horizon, judged, readable, moves, 0, (judged + 1, *ENDED_ROWS[0].first))

    def _end_leases(self) -> None:
        """What was kept for a reader who is gone goes."""
        noted = {one.number for one in self._catalog.kept(leases.OWNER)}
        if noted:
            noted -= {one.number for one in leases.readings(self._catalog.path)}
            self._catalog.let_go(leases.OWNER, sorted(noted))

    def _slice(self, going: _Pass) -> bool:
        """Whether it was the last one of the pass."""
        table = ENDED_ROWS[going.table]
        with self._catalog.between_commits("expire history", durable=False) as connection:
            ended = query(connection, table.select, (going.horizon, *going.at, self.slice_rows))
            gone = unseen(ended, going.readable)
            connection.executemany(table.delete, [(row[1], *row[3:]) for row in gone])
            lists.let_go(connection, [row[2] for row in gone if row[2] is not None])
            if len(ended) == self.slice_rows:
                going.at = (ended[-1][1], *ended[-1][3:])
                return False
            going.table += 1
            if going.table < len(ENDED_ROWS):
                going.at = (going.judged + 1, *ENDED_ROWS[going.table].first)
                return False
            lists.drop_unnamed(connection, self.slice_rows)
            kept.set_judged(connection, going.horizon)
        return True

    def _expire_commits(self, before: CommitNumber) -> bool:
        numbers = self._catalog.kept_by_nobody(before, self.slice_rows)
        if numbers:
            with self._catalog.between_commits("expire history", durable=False) as connection:
                connection.executemany("delete from commits where number = ?", [(number,) for number in numbers])
        return bool(numbers)
