"""Whether a peer is in its first sync still: until it has had a consistent commit of the dataset."""

from __future__ import annotations

from collections.abc import Callable

from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber
from agent.store.local import Local
from agent.stream.position import PositionBoard

_KEY = "first-sync-done:"


class FirstSync:
    """One peer of a dataset on its primary. Any thread.

    ``consistent``: the first such commit that is known here; None while there is none, then one is looked for in
    ``newest``. That the first sync is through is kept among the local facts: history may have lost the commit that proves it.
    A peer that holds nothing is in its first sync whatever was before: its store was made anew."""

    def __init__(
        self,
        peer: str,
        board: PositionBoard,
        consistent: CommitNumber | None,
        newest: Callable[[], Commit | None],
        local: Local,
    ) -> None:
        self._key = _KEY + peer
        self._board = board
        self._newest = newest
        self._local = local
        self._kept = local.value(self._key) is not None
        self._consistent = consistent
        self._awaited = NOTHING

    def __call__(self) -> bool:
        """Whether the peer is in its first sync; cheap."""
        durable = self._board.position.durable
        if durable == NOTHING:
            return True
        if not self._kept and self._consistent is None:
            newest = self._newest()
            if newest is not None and newest.consistent:
                self._consistent = newest.number
        return not self._kept and (self._consistent is None or durable < self._consistent)

    def keep(self) -> None:
        """The peer's position has moved. Raises as ``Local``."""
        if not self._kept and not self():
            self._local.set_value(self._key, b"yes")
            self._kept, self._awaited = True, self._consistent or NOTHING
        if self._board.position.applied >= self._awaited:
            # It may be gone again later, which is something else.
            self._awaited = NOTHING

    @property
    def unapplied(self) -> bool:
        """Whether what ended the first sync, since this start, is durable there and not applied yet."""
        return self._board.position.applied < self._awaited
