"""One batch → a commit that is durable here, then local facts, then the peers. Law 1's order on the primary."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from agent.capture.outlet import Outlet, ReadChunk
from agent.capture.ports import Batch, CaptureContext
from agent.chunking.reader import Found
from agent.core.backoff import Backoff
from agent.core.commit import ORDINARY, Changes, Commit, Provenance
from agent.core.errors import TryAgain
from agent.core.ids import NOTHING, commit_number, epoch_of, seq_of
from agent.core.patch import Runs
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import STATE_DISK_FULL, STATE_DISK_RESERVE
from agent.fs.reserve import ReserveReached
from agent.store.catalog.catalog import Header
from agent.store.doubt import Lately, facts_mark
from agent.store.local import FactsMark

T = TypeVar("T")

#: What a full disk means for capture.
WAITS = "capture waits, nothing is lost"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0


class CaptureStopped(Exception):
    """The pump was told to end while it waited for its disk."""


class Committer:
    """Writes batches. While our own disk is full it tries again and keeps everything. Belongs to the pump's thread.

    ``require_room``: see ``PumpCalls``."""

    def __init__(
        self,
        context: CaptureContext,
        outlet: Outlet,
        stopping: threading.Event,
        require_room: Callable[[int], None],
    ) -> None:
        self.commits = 0
        self.fuzzy = 0
        self._catalog = context.catalog
        self._local = context.local
        self._outlet = outlet
        self._board = context.board
        self._clock = context.clock
        self._stopping = stopping
        self._require_room = require_room
        self._mark: FactsMark | None = None
        self._lately = Lately(context.clock)

    def write(self, batch: Batch, consistent: bool, made: Provenance = ORDINARY) -> Commit | None:
        """Commit the batch and begin the next; None when there was nothing to commit.

        On entry the batch is one that can be committed. On exit the commit is durable, local facts are written and the peers are
        given it, in this order (law 1); or an error was raised, after which capture stops.

        A batch without rows is committed only when it makes a dataset consistent that was not, or when something is told of
        its commit: ``made``.
        Raises ``StoreFailed``, ``Damaged``, ``CaptureStopped``."""
        changes = batch.changes()
        newest = self._catalog.newest()
        if not changes and made is ORDINARY and (newest is None or not consistent or newest.consistent):
            self._write_facts(batch, newest)
            batch.begin()
            return None
        header = self._header(newest, consistent, batch.fuzzy, made)
        size = sum(map(len, changes.puts))
        self._patiently(lambda: self._require_room(size))
        commit = self._patiently(lambda: self._catalog.write(changes, header, list(batch.pieces.items())))
        self.commits += 1
        self.fuzzy += batch.fuzzy
        self._write_facts(batch, commit)
        self._give(commit, changes, batch)
        batch.begin()
        return commit

    def has_told_all(self) -> bool:
        """Whether an empty batch would write nothing: the newest commit is consistent, and the local facts know of it."""
        newest = self._catalog.newest()
        return newest is not None and newest.consistent and facts_mark(newest) == self._mark

    def send_ahead(self, token: int, found: list[Found], patches: dict[bytes, Runs], is_new: bool) -> None:
        """Give chunks of a large file to the peers before they are committed; ``found`` and ``patches`` are emptied.
        Without any: see ``ports.Send``."""
        if not found:
            self._outlet.given_up(token)
        else:
            chunks = self._labelled(found, patches)
            found.clear()
            patches.clear()
            self._outlet.content(token, chunks, is_new)

    def _header(self, newest: Commit | None, consistent: bool, fuzzy: int, made: Provenance) -> Header:
        epoch = self._catalog.lineage[-1].number
        parent, seq, now = NOTHING, 1, self._clock.now_ns()
        if newest is not None:
            parent, now = newest.number, max(now, newest.time)
            if epoch_of(newest.number) == epoch:
                seq = seq_of(newest.number) + 1
        return Header(commit_number(epoch, seq), parent, now, now, consistent, fuzzy, provenance=made)

    def _give(self, commit: Commit, changes: Changes, batch: Batch) -> None:
        chunks = self._labelled(((name, kind, data) for name, (kind, data) in batch.chunks.items()), batch.patches)
        if batch.since is not None:
            self._outlet.waited(batch.since)
        self._outlet.commit(commit, changes, chunks, batch.ahead)

    def _labelled(self, found: Iterable[Found], patches: Mapping[bytes, Runs]) -> list[ReadChunk]:
        """Each name once, with ``fresh`` told, and learned: a name is fresh once."""
        once = {name: (kind, data) for name, kind, data in found}
        known = self._local.known.among(list(once))
        new = [name for name in once if name not in known]
        if new:
            self._local.known.learn(new)
        if not patches:
            return [ReadChunk(name, kind, data, name not in known) for name, (kind, data) in once.items()]
        return [
            ReadChunk(name, kind, data, name not in known, patches.get(name, ())) for name, (kind, data) in once.items()
        ]

    def _write_facts(self, batch: Batch, commit: Commit | None) -> None:
        """With the commit up to which they hold, in one transaction; of a commit that has none, only that."""
        mark = facts_mark(commit) if commit is not None else None
        if batch.has_facts or mark != self._mark:
            puts, drops = batch.facts_to_write()
            lately = self._lately.due()
            self._patiently(lambda: self._local.write(puts, drops, mark, lately))
            self._lately.noted(lately)
            self._mark = mark

    def _waits(self, error: TryAgain) -> Problem:
        now = self._clock.now_ns()
        if isinstance(error, ReserveReached):
            return error.shortage.problem(WAITS, now)
        message = f"our own state cannot be written: {error.reason}; {WAITS}"
        remedy = "free space on the filesystem of the state directory"
        return Problem(STATE_DISK_FULL, Severity.ERROR, now, b"", message, remedy)

    def _patiently(self, action: Callable[[], T]) -> T:
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            try:
                result = action()
            except TryAgain as error:
                self._board.put(self._waits(error))
                if self._stopping.wait(backoff.next_wait()):
                    raise CaptureStopped from error
            else:
                if backoff.began:
                    self._board.clear(STATE_DISK_FULL)
                    self._board.clear(STATE_DISK_RESERVE)
                return result
