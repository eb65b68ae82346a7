"""The catalog's writing side: one transaction at a time, and the sealed state again after whatever fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import apsw

from agent.core.commit import Commit
from agent.core.errors import Damaged, HikaeError, StoreFailed, WireError
from agent.core.ids import NOTHING, CommitNumber, Epoch, ObjectId, shown_commit
from agent.store.catalog.overlay import Overlay
from agent.store.catalog.reader import CatalogReader, Reading
from agent.store.catalog.staging import UNSTAGE, UNSTAGE_STATEMENTS, StagedCounts, Staging, highest_id
from agent.store.sqlite import Synchronous, failure, query


class CatalogWriter(Reading):
    """What is staged, and the transactions that hold it. Owned by one thread."""

    def __init__(self, path: str, connection: apsw.Connection) -> None:
        super().__init__(path, connection)
        self.created = False
        self._bulk: CatalogReader | None = None
        self._staged: CommitNumber | None = None
        self._newest: Commit | None = None
        self._overlay: Overlay | None = None
        self._failed = False
        self._unclean = False
        self._sliced = False
        self._synchronous = Synchronous.FULL
        self._rows = 0
        self._first_object = ObjectId(0)
        self._last_object = 0
        #: As the database has it: every page that a commit need not touch is four kilobytes less to write.
        self._saved_object = -1
        self._known_epoch: Epoch | None = None
        #: Rises when somebody lets go of a commit.
        self.let_go_moves = 0
        #: Rises when a generation is kept, changed or dropped.
        self.generation_moves = 0
        #: How many objects of the newest commit are not all here; any thread.
        self.owing = 0
        #: Rises when it changes which.
        self.owed_moves = 0

    @property
    def known_epoch(self) -> Epoch | None:
        """The newest epoch; unlike ``lineage`` it may be asked for by any thread."""
        return self._known_epoch

    def close(self) -> None:
        """Take back what is staged and give the connections back; safe to call twice."""
        if self._bulk is not None:
            self._bulk.close()
            self._bulk = None
        self._connection.close(True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def newest(self) -> Commit | None:
        """The newest sealed commit."""
        return self._newest

    def _at(self, at: CommitNumber | None) -> CommitNumber:
        if at is not None:
            return at
        return self._newest.number if self._newest is not None else NOTHING

    @contextmanager
    def _writing(self, operation: str, *, durable: bool = True) -> Iterator[None]:
        """A transaction that the body commits or leaves open for more of the same commit; taken back on any failure. Not
        ``durable``: the next one that is syncs it too."""
        if self._failed:
            raise StoreFailed(
                operation, self.path, "an earlier write failed", "restart the agent when the disk is well"
            )
        try:
            if self._unclean:
                self._recover()
            if not self._connection.in_transaction:
                self._sync_commits(Synchronous.FULL if durable and not self._sliced else Synchronous.NORMAL)
                query(self._connection, "begin immediate")
            yield
        except apsw.Error as error:
            mapped = failure(error, operation, self.path)
            self._give_up(operation, mapped)
            raise mapped from error
        except OverflowError as error:
            self._take_back(operation)
            raise WireError(operation, self.path, "it holds a number of more than 63 bits") from error
        except BaseException:
            self._take_back(operation)
            raise

    def _give_up(self, operation: str, cause: HikaeError) -> None:
        """After an error of SQLite: a full disk may be freed again, anything else ends this catalog object (law 1)."""
        if isinstance(cause, StoreFailed | Damaged):
            self._failed = True
            self._connection.close(True)
        else:
            self._take_back(operation)

    def _take_back(self, operation: str) -> None:
        """Back to the sealed state. On a full disk slices of the commit may stay, unseen, until there is room again."""
        self._unclean = True
        try:
            if self._connection.in_transaction:
                query(self._connection, "rollback")
            self._sync_commits(Synchronous.FULL)
            self._recover()
        except apsw.FullError:
            self._staged = None
        except apsw.Error as error:
            self._failed = True
            raise failure(error, operation, self.path) from error

    def _recover(self) -> None:
        """The sealed state, from the database alone: nothing staged, digest and counts of the newest commit."""
        newest = self._newest = super().newest()
        at = newest.number if newest is not None else NOTHING
        if query(self._connection, _ANY_STAGED, (at,)):
            with self._connection:
                query(self._connection, UNSTAGE, (at,) * UNSTAGE_STATEMENTS)
        counts = StagedCounts(newest.entries, newest.bytes, newest.files) if newest is not None else StagedCounts()
        self._staging = Staging(self._connection, counts, highest_id(self._connection), at)
        self._staged, self._sliced, self._unclean, self._rows = None, False, False, 0
        self._overlay = None
        self._saved_object = self._get("last_object")
        self._last_object = max(self._last_object, self._saved_object)
        self._first_object = next((epoch.first_object for epoch in reversed(self.lineage)), ObjectId(0))
        self.owing = self.owed_count() if newest is not None else 0
        if newest is not None and self._staging.digest.value() != newest.digest:
            raise Damaged(
                "open the catalog", self.path, "bucket sums and digest differ", "move it away and start again"
            )

    def _cut(self) -> None:
        """End a transaction in the middle of a commit. Its slices need no sync of their own: the seal syncs them
        all."""
        query(self._connection, "commit")
        self._sliced, self._rows = True, 0

    def _sync_commits(self, level: Synchronous) -> None:
        """From the next transaction on; none is open."""
        if level is not self._synchronous:
            self._connection.pragma("synchronous", int(level))
            self._synchronous = level

    def _expect(self, number: CommitNumber) -> None:
        if self._staged is None:
            if number <= self._at(None):
                raise WireError(
                    "stage a commit", shown_commit(number), f"{shown_commit(self._at(None))} is sealed already"
                )
            self._staged = number
        elif self._staged != number:
            raise WireError("stage a commit", shown_commit(number), f"{shown_commit(self._staged)} is being staged")

    def _set(self, key: str, value: int) -> None:
        query(self._connection, "insert or replace into meta values (?, ?)", (key, value))

    def _get(self, key: str) -> int:
        rows = query(self._connection, "select value from meta where key = ?", (key,))
        return rows[0][0] if rows else 0


_ANY_STAGED = """
select 1 where exists (select 1 from object where since > ?1)
or exists (select 1 from object where until > ?1 and until < 9223372036854775807)
or exists (select 1 from name where since > ?1)
or exists (select 1 from name where until > ?1 and until < 9223372036854775807)
or exists (select 1 from chunk where since > ?1)
or exists (select 1 from chunk where until > ?1 and until < 9223372036854775807)
"""
