"""Commits and epochs as the catalog's tables have them."""

from __future__ import annotations

from typing import Any, Protocol

import apsw

from agent.core.commit import ORDINARY, Commit, CommitKind, Provenance, Quiesced
from agent.core.digest import WIDTH
from agent.core.errors import Damaged
from agent.core.ids import NOTHING, CommitNumber, Epoch, epoch_of
from agent.store.sqlite import query
from agent.store.vault.pack import PackEnd

#: In the order of ``_as_commit``.
_COMMIT = """
select number, parent, digest, time, received, consistent, entries, bytes, fuzzy, files, kind, reached, same_as, label
from commits
"""
_INSERT = """
insert into commits (
  number, parent, digest, time, received, consistent, entries, bytes, fuzzy, files, kind, reached, same_as, label, pack, offset
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_EPOCHS = "select number, owner, token from epoch order by number, first"
#: Its first commit of a moment is to be found by halves.
_ENDS = "select (select min(number) from commits), (select max(number) from commits)"
_FROM = "select number, time from commits where number >= ? order by number limit 1"
_ROLLBACKS = "select number, digest from commits where number > ? and number <= ? and kind = ? order by number desc"
_SAME = "select number from commits where digest = ? and number < ? order by number desc"


class Commits(Protocol):
    """Questions for whoever reads a catalog. All raise as its other methods do."""

    def newest(self) -> Commit | None:
        """The newest sealed commit."""
        return self._commit("order by number desc limit 1", ())

    def commit_at(self, number: CommitNumber) -> Commit | None:
        """The commit of that number, unless it never was or is pruned."""
        return self._commit("where number = ?", (number,))

    def commit_up_to(self, number: CommitNumber) -> Commit | None:
        """The newest commit whose number is not above that."""
        return self._commit("where number <= ? order by number desc limit 1", (number,))

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

    def newest_consistent(self) -> Commit | None:
        """The newest consistent commit; None before the first."""
        return self._commit("where consistent order by number desc limit 1", ())

    def next_consistent(self, number: CommitNumber) -> Commit | None:
        """The oldest consistent commit with that number or a greater one."""
        return self._commit("where consistent and number >= ? order by number limit 1", (number,))

    def labelled(self, since: CommitNumber, label: str | None = None) -> list[Commit]:
        """The commits from ``since`` on that have a label, None: any, in order."""
        which = "where label <> '' and number >= ?1 and (?2 is null or label = ?2) order by number"
        return [_as_commit(row) for row in self._all(_COMMIT + which, (since, label))]

    def rollbacks(self, after: CommitNumber, upto: CommitNumber) -> list[tuple[CommitNumber, list[CommitNumber]]]:
        """The commits of ``(after, upto]`` that took an earlier moment up again, the newest first, each with those before it that
        have its digest. Costs what commits are kept, where there is such a one."""
        found = self._all(_ROLLBACKS, (after, upto, int(CommitKind.ROLLBACK)))
        same = (self._all(_SAME, (digest, number)) for number, digest in found)
        return [
            (CommitNumber(number), [CommitNumber(one) for (one,) in each])
            for (number, _), each in zip(found, same, strict=True)
        ]

    def oldest_consistent(self) -> CommitNumber | None:
        """The oldest consistent commit that is kept."""
        for (number,) in self._all("select number from commits where consistent order by number limit 1", ()):
            return CommitNumber(number)
        return None

    def newest_before(self, time: int) -> CommitNumber:
        """The newest commit of before that moment (UTC ns); ``NOTHING`` when there is none. By halves: the time never falls from
        one commit to the next."""
        low, high = self._all(_ENDS, ())[0]
        found, low, high = NOTHING, low or 0, high or -1
        while low <= high:
            middle = (low + high) // 2
            commit = self._all(_FROM, (middle,))[0]
            if commit[1] < time:
                found, low = CommitNumber(commit[0]), commit[0] + 1
            else:
                high = middle - 1
        return found

    @property
    def lineage(self) -> list[Epoch]:
        """Every epoch that began here, in order."""
        return [Epoch(number, owner, token) for number, owner, token in self._all(_EPOCHS, ())]

    def reason_of(self, epoch: Epoch) -> str:
        """Why an epoch was begun, in the words of who began it."""
        for (reason,) in self._all(
            "select reason from epoch where number = ? and token = ?", (epoch.number, epoch.token)
        ):
            return str(reason)
        return ""

    def epoch_of_commit(self, number: CommitNumber) -> Epoch | None:
        """The epoch in which a commit of this node was made. Another node may have another epoch of that number."""
        which = "select number, owner, token from epoch where number = ? and first <= ?"
        for found in self._all(which, (epoch_of(number), number)):
            return Epoch(*found)
        return None

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

    def _commit(self, which: str, arguments: tuple[int, ...]) -> Commit | None:
        for row in self._all(_COMMIT + which, arguments):
            return _as_commit(row)
        return None

    # What ``Reading`` has.
    def _all(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]: ...  # Any: as in ``Reading``


def insert(connection: apsw.Connection, commit: Commit, end: PackEnd) -> None:
    """A commit becomes part of the catalog; ``end``: where the packs end with it."""
    head = (commit.number, commit.parent, commit.digest, commit.time, commit.received, commit.consistent)
    counts = (commit.entries, as_stored(commit.bytes), commit.fuzzy, commit.files)
    made = commit.provenance
    row = (*head, *counts, made.kind, made.reached, made.same_as, made.label, end.pack, end.offset)
    query(connection, _INSERT, row)


def _as_commit(row: tuple[Any, ...]) -> Commit:
    number, parent, digest, time, received, consistent, entries, size, fuzzy, files, kind, reached, same, label = row
    if len(digest) != WIDTH:
        raise Damaged("read the catalog", "", "a commit without a digest", "move the catalog away and start again")
    total = int.from_bytes(size, "big") if isinstance(size, bytes) else size
    if not isinstance(total, int):
        raise Damaged("read the catalog", "", "a commit without its size", "move the catalog away and start again")
    made = _made(kind, reached, same, label) if kind or reached or same or label else ORDINARY
    return Commit(number, parent, digest, time, received, bool(consistent), entries, total, fuzzy, files, made)


def _made(kind: object, reached: object, same: object, label: object) -> Provenance:
    if (
        not isinstance(kind, int)
        or not isinstance(reached, int)
        or not isinstance(same, int)
        or not isinstance(label, str)
    ):
        raise Damaged("read the catalog", "", "a commit of no kind", "move the catalog away and start again")
    try:
        return Provenance(CommitKind(kind), Quiesced(reached), CommitNumber(same), label)
    except ValueError as error:
        raise Damaged("read the catalog", "", "a commit of no kind", "move the catalog away and start again") from error


def as_stored(total: int) -> int | bytes:
    """A sum of sizes, each of which fits 63 bits, for SQLite, whose numbers have no more."""
    return total if total < 1 << 63 else total.to_bytes(16, "big")
