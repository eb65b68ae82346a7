"""The moments that can be read, within bounds: all from the horizon on, and before it those that somebody keeps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from agent.core.ids import NOTHING, CommitNumber
from agent.store.catalog.reader import CatalogReader


class ReadableMoments:
    """For one thread; as of when it was made. ``lowest``, ``highest``: the first and last moment that count, by default all."""

    def __init__(
        self, reader: CatalogReader, lowest: CommitNumber = NOTHING, highest: CommitNumber | None = None
    ) -> None:
        newest = reader.newest()
        end = newest.number if newest is not None else NOTHING
        self._reader = reader
        self._horizon = reader.horizon()
        self._kept = reader.readable_before_horizon()
        self._lowest = lowest
        self._highest = end if highest is None else min(end, highest)

    def ends(self) -> tuple[CommitNumber, CommitNumber] | None:
        """The first and the last moment that count; None without any."""
        first, last = self.first_from(NOTHING), self.last_before(self._highest + 1)
        return (first, last) if first is not None and last is not None else None

    def first_from(self, number: int) -> CommitNumber | None:
        """The first moment from this commit on; None without any."""
        number = max(number, self._lowest)
        found = [commit.number for commit in self._reader.commits(CommitNumber(max(number, self._horizon, 1) - 1), 1)]
        at = bisect_left(self._kept, number)
        found += [CommitNumber(kept) for kept in self._kept[at : at + 1]]
        first = min(found, default=None)
        return first if first is not None and first <= self._highest else None

    def last_before(self, number: int) -> CommitNumber | None:
        """The last moment before this commit; None without any."""
        number = min(number - 1, self._highest)
        at = bisect_right(self._kept, number)
        kept = CommitNumber(self._kept[at - 1]) if at else NOTHING
        commit = self._reader.commit_up_to(CommitNumber(number))
        last = max(kept, commit.number if commit is not None and commit.number >= self._horizon else NOTHING)
        return last if last != NOTHING and last >= self._lowest else None

    def might_see(self, since: int, until: int) -> bool:
        """Whether any moment may lie in ``[since, until)``: without looking up commits, so it may say yes in vain."""
        since, until = max(since, self._lowest), min(until, self._highest + 1)
        if since >= until:
            return False
        at = bisect_left(self._kept, since)
        return until > self._horizon or (at < len(self._kept) and self._kept[at] < until)
