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
        self._under_way: deque[tuple[CommitNumber, float, int]] = deque()
        self._last: float | None = None
        self._given = 0

    def captured(self, number: CommitNumber, given: int = 0) -> None:
        """A commit is durable here and goes out; ``given``: bytes captured so far, with it."""
        with self._lock:
            self._under_way.append((number, self._clock.monotonic(), given))
            if len(self._under_way) > _KEPT:
                # Every second one, never the oldest: its age is the lag.
                self._under_way = deque(one for at, one in enumerate(self._under_way) if at % 2 == 0)

    def durable(self, number: CommitNumber) -> None:
        """Everything up to ``number`` is durable there."""
        with self._lock:
            now = self._clock.monotonic()
            while self._under_way and self._under_way[0][0] <= number:
                _, captured_at, self._given = self._under_way.popleft()
                self._last = now - captured_at

    def waiting(self, given: int) -> int:
        """About how many bytes were captured for this peer since the commit that it has; ``given``: as in :meth:`captured`."""
        with self._lock:
            return given - self._given if self._under_way else 0

    def seconds(self) -> float | None:
        """The age of the oldest commit that is not there yet, else the last measured lag; None before any."""
        with self._lock:
            if self._under_way:
                return self._clock.monotonic() - self._under_way[0][1]
            return self._last
