"""How long a commit takes from here to durable there, on one clock."""

from __future__ import annotations

import threading
from collections import deque

from agent.core.clock import Clock
from agent.core.ids import CommitNumber

_KEPT = 4096


class LagMeter:
    """The lag of one peer. Thread-safe; bounded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: deque[tuple[CommitNumber, float]] = deque(maxlen=_KEPT)
        self._last: float | None = None

    def captured(self, number: CommitNumber) -> None:
        """A commit is durable here and goes out."""
        with self._lock:
            self._under_way.append((number, self._clock.monotonic()))

    def durable(self, number: CommitNumber) -> None:
        """Everything up to ``number`` is durable there."""
        with self._lock:
            now = self._clock.monotonic()
            while self._under_way and self._under_way[0][0] <= number:
                self._last = now - self._under_way.popleft()[1]

    def seconds(self) -> float | None:
        """The age of the oldest commit that is not there yet, else the last measured lag; None before any."""
        with self._lock:
            if self._under_way:
                return self._clock.monotonic() - self._under_way[0][1]
            return self._last
