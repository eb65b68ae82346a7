"""What a peer is told, some times a second at most, of what waits for it and would be lost if this node died now."""

from __future__ import annotations

from typing import Protocol

from agent.core.clock import Clock
from agent.stream.messages import HEARTBEAT, Announce

#: Seconds between two words while something moves.
EVERY = 0.5


class Waiting(Protocol):
    """Whoever knows what waits for one peer. By the thread that speaks."""

    @property
    def stirs(self) -> object:
        """A value that is another one once there may be something else to say; cheap."""
        ...

    def announce(self) -> Announce:
        """All that waits now."""
        ...


class Announcing:
    """Of one call."""

    def __init__(self, waiting: Waiting, clock: Clock) -> None:
        self._waiting = waiting
        self._clock = clock
        self._said_at: float | None = None
        self._stirred: object = None
        self._said_some = False

    @property
    def waits(self) -> bool:
        """Whether something is to be said now."""
        if self._said_at is None:
            return True
        since = self._clock.monotonic() - self._said_at
        if since < EVERY:
            return False
        return since >= HEARTBEAT or self._said_some or self._waiting.stirs != self._stirred

    def due(self) -> Announce:
        """What is to be said; it counts as said."""
        self._said_at, self._stirred = self._clock.monotonic(), self._waiting.stirs
        word = self._waiting.announce()
        self._said_some = bool(word.count)
        return word
