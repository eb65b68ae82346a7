"""What became of a standby's generations, in a sentence each: for events here, and on the nodes that are told."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from agent.core.clock import Clock
from agent.core.kept import EXPIRED, NOTES_KEPT, PINNED, TAKEN, UNPINNED, KeptNote
from agent.store.catalog.generation import Cause, Generation

#: Notes are told apart by their time as it is published, to the microsecond.
_STEP = 1000
_WHY = {
    Cause.SCHEDULE: "by schedule",
    Cause.DEMAND: "as asked",
    Cause.BEFORE: "before something is overwritten",
    Cause.BRAKE: "before much is deleted or rewritten",
}


class GenerationNotes:
    """The newest of them, in memory only; by whoever keeps the generations."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._notes: deque[KeptNote] = deque(maxlen=NOTES_KEPT)

    @property
    def newest(self) -> tuple[KeptNote, ...]:
        """The newest last."""
        return tuple(self._notes)

    def taken(self, one: Generation) -> None:
        """``one`` is kept from now on."""
        words = f"generation {one.name} is kept"
        more = [_WHY[one.cause], *([f"label {one.label}"] if one.label else []), *(["pinned"] if one.pinned else [])]
        self._note(TAKEN, f"{words} ({', '.join(more)})")

    def pinned(self, one: Generation) -> None:
        """``one`` was pinned, or is not any more."""
        if one.pinned:
            self._note(PINNED, f"generation {one.name} is pinned: it stays until it is unpinned")
        else:
            self._note(UNPINNED, f"generation {one.name} is not pinned any more: the rules decide about it")

    def expired(self, gone: Sequence[Generation]) -> None:
        """No rule kept them; at least one, the oldest first."""
        if len(gone) == 1:
            self._note(EXPIRED, f"generation {gone[0].name} is gone: no rule keeps it")
        else:
            words = f"{len(gone):,} generations are gone, {gone[0].name} to {gone[-1].name}: no rule keeps them"
            self._note(EXPIRED, words)

    def _note(self, code: str, sentence: str) -> None:
        before = self._notes[-1].at if self._notes else 0
        at = max(self._clock.now_ns() // _STEP * _STEP, before + _STEP)
        self._notes.append(KeptNote(at, code, sentence))
