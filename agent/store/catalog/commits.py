"""Commits and epochs as the catalog's tables have them."""

from __future__ import annotations

from typing import Any, Protocol

from agent.core.commit import Commit
from agent.core.digest import WIDTH
from agent.core.errors import Damaged
from agent.core.ids import NOTHING, CommitNumber, Epoch
from agent.store.vault.pack import PackEnd

_NEWEST_BEFORE = """
select max(number) from commits
where number < coalesce((select number from commits where time >= ? order by number limit 1), 9223372036854775807)
"""
_COMMIT = "select number, parent, digest, time, received, consistent, entries, bytes, fuzzy, files from commits "


class Commits(Protocol):
    """Questions for whoever reads a catalog. All raise as its other methods do."""

    def newest(self) -> Commit | None:
        """The newest sealed commit."""
        return self._commit("order by number desc limit 1", ())

    def commit_at(self, number: CommitNumber) -> Commit | None:
        """The commit of that number, unless it never was or is pruned."""
        return self._commit("where number = ?", (number,))

    def commits(self, after: CommitNumber, limit: int) -> list[Commit]:
        """At most ``limit`` commits with a number greater than ``after``, in order."""
        rows = self._all(_COMMIT + "where number > ? order by number limit ?", (after, limit))
        return [_as_commit(row) for row in rows]

    def fuzzy_between(self, a: CommitNumber, b: CommitNumber) -> int:
        """How many files the commits after ``a`` up to ``b`` took as read; those of pruned commits are not counted."""
        found: int = self._all("select coalesce(sum(fuzzy), 0) from commits where number > ? and number <= ?", (a, b))[
            0
        ][0]
        return found

    def oldest_consistent(self) -> CommitNumber | None:
        """The oldest consistent commit that is kept."""
        for (number,) in self._all("select number from commits where consistent order by number limit 1", ()):
            return CommitNumber(number)
        return None

    def newest_before(self, time: int) -> CommitNumber:
        """The newest commit of before that moment (UTC ns); ``NOTHING`` when there is none. Costs what is older: times never
        fall, and whoever asks is about to prune that."""
        return CommitNumber(self._all(_NEWEST_BEFORE, (time,))[0][0] or NOTHING)

    @property
    def lineage(self) -> list[Epoch]:
        """Every epoch that began here, in order."""
        rows = self._all("select number, owner, token from epoch order by number", ())
        return [Epoch(number, owner, token) for number, owner, token in rows]

    def anew_since(self) -> CommitNumber:
        """The newest commit that ended everything before it, so that no object of before is one of now; ``NOTHING`` for none."""
        for (number,) in self._all("select value from meta where key = 'anew'", ()):
            return CommitNumber(number)
        return NOTHING

    def pack_end(self) -> PackEnd:
        """Where the packs ended when the newest commit was sealed: what ``Vault.open`` is to be given."""
        for pack, offset in self._all("select pack, offset from commits order by number desc limit 1", ()):
            return PackEnd(pack, offset)
        return PackEnd(0, 0)

    def horizon(self) -> CommitNumber:
        """The oldest moment that can still be asked for; everything before it was pruned."""
        for (number,) in self._all("select value from meta where key = 'horizon'", ()):
            return CommitNumber(number)
        return NOTHING

    def _commit(self, which: str, arguments: tuple[int, ...]) -> Commit | None:
        for row in self._all(_COMMIT + which, arguments):
            return _as_commit(row)
        return None

    # What ``Reading`` has.
    def _all(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]: ...  # Any: as in ``Reading``


def _as_commit(row: tuple[Any, ...]) -> Commit:
    number, parent, digest, time, received, consistent, entries, size, fuzzy, files = row
    if len(digest) != WIDTH:
        raise Damaged("read the catalog", "", "a commit without a digest", "move the catalog away and start again")
    total = int.from_bytes(size, "big") if isinstance(size, bytes) else size
    if not isinstance(total, int):
        raise Damaged("read the catalog", "", "a commit without its size", "move the catalog away and start again")
    return Commit(number, parent, digest, time, received, bool(consistent), entries, total, fuzzy, files)


def as_stored(total: int) -> int | bytes:
    """A sum of sizes, each of which fits 63 bits, for SQLite, whose numbers have no more."""
    return total if total < 1 << 63 else total.to_bytes(16, "big")
