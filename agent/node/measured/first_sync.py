"""Whether a peer is in its first sync still: until it has had a consistent commit of the dataset, and applied it."""

from __future__ import annotations

from collections.abc import Callable

from agent.capture.facts import CapturePhase, PumpFacts
from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber
from agent.core.standing import FIRST_SYNC, SyncFacts
from agent.node.measured.awaited_commit import AwaitedCommit
from agent.store.local import Local
from agent.stream.position import PositionBoard

_KEY, _AWAITED = "first-sync-done:", "first-sync-awaits:"
#: No walk goes on; what is captured may be what one came to that a stop, or a hold, cut short.
_BEFORE_A_WALK = (CapturePhase.STARTING, CapturePhase.HELD)


class FirstSync:
    """One peer of a dataset on its primary. Any thread.

    ``consistent``: the first such commit that is known here; None while there is none, then one is looked for in
    ``newest``. That all of it was received is kept among the local facts, as history may have lost the commit that proves it, and
    so is the commit that is to be applied then.
    A peer that holds nothing is in its first sync whatever was before: its store was made anew. ``there``: bytes that it had
    when that was told last, since this start."""

    def __init__(
        self,
        peer: str,
        board: PositionBoard,
        consistent: CommitNumber | None,
        newest: Callable[[], Commit | None],
        *,
        local: Local,
    ) -> None:
        self._key = _KEY + peer
        self._board = board
        self._newest = newest
        self._local = local
        self._kept = local.value(self._key) is not None
        self._consistent = consistent
        self._awaited = AwaitedCommit(local, _AWAITED + peer)
        self.there = 0
        self._call = 0

    def begins(self, call: int) -> None:
        """The peer says in this call what it lacks: what it was told to have before, and no commit has, may be gone."""
        if call != self._call:
            self._call, self.there = call, 0

    def __call__(self) -> bool:
        """Whether the peer has not received what ends its first sync; cheap."""
        durable = self._board.position.durable
        if durable == NOTHING:
            return True
        if not self._kept and self._consistent is None:
            newest = self._newest()
            if newest is not None and newest.consistent:
                self._consistent = newest.number
        return not self._kept and (self._consistent is None or durable < self._consistent)

    @property
    def was_through(self) -> bool:
        """Whether it was through once: what a peer that was not heard since this start holds is not known."""
        return self._kept

    def keep(self) -> None:
        """The peer's position has moved. Raises as ``Local``."""
        if not self._kept and not self():
            self._awaited.begin(self._consistent or NOTHING)
            self._local.set_value(self._key, b"yes")
            self._kept = True
        self._awaited.reached(self._board.position.applied)

    @property
    def unapplied(self) -> bool:
        """Whether what ends the first sync is durable there and was not applied yet; also before the peer was heard."""
        return self._awaited.is_lacking(self._board.position.applied)


def progress(pump: PumpFacts, newest: Commit | None, left: int | None, rate: float, there: int = 0) -> SyncFacts:
    """How far a peer's first sync is. ``newest``: the commit here; ``left``: bytes captured for the peer that are not there yet,
    None while that is not known; ``rate``: bytes a second that it works off, 0.0 while not known; ``there``: what was told last.

    There is what was captured less what is on its way, and no less than before, as long as the total allows it. The total is what
    the census counted, and at least what is known by now; None while neither is through, or the walk has not begun anew since a
    start."""
    captured = (newest.bytes if newest is not None else 0) + pump.ahead
    entries = newest.entries if newest is not None else 0
    is_whole = newest is not None and newest.consistent
    total, total_entries = _total(pump, captured + pump.waits, entries, is_whole=is_whole)
    done = there if left is None else max(there, captured - left, 0)
    if total is not None:
        done = max(0, min(done, total - (left or 0)))
    remains = total - done if total is not None else 0
    eta = remains / rate if remains and rate else None
    return SyncFacts(FIRST_SYNC, done, total, 0, total_entries, eta)


def _total(pump: PumpFacts, known: int, entries: int, *, is_whole: bool) -> tuple[int | None, int | None]:
    """Bytes and entries; ``known``: bytes captured, or waiting to be; ``is_whole``: a walk was through once."""
    if pump.phase in _BEFORE_A_WALK and not is_whole:
        return None, None
    if pump.phase is not CapturePhase.FIRST_SYNC:
        return known, entries
    sync = pump.sync
    if sync is None:
        # The walk is through: all there is was captured or waits.
        return (known, entries) if entries else (None, None)
    if sync.total_bytes is None or sync.total_entries is None:
        return None, None
    return max(known, sync.total_bytes), max(entries, sync.total_entries)
