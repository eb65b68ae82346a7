"""Comparing this node's clock with that of the peer of one call: what is said, heard, and when again."""

from __future__ import annotations

import threading

from agent.core.clock import Clock
from agent.core.skew import ClockReading, Comparisons, skew_of

#: The clock is read out to a peer at least so often while anything is said at all, in seconds; not for each word.
READ_SECONDS = 5.0


class Comparing:
    """Of one call. :meth:`due` and :meth:`answer` by the thread that speaks, :meth:`heard` by the one that hears."""

    def __init__(self, peer: str, clock: Clock, told: Comparisons | None) -> None:
        self._peer = peer
        self._clock = clock
        self._told = told
        self._lock = threading.Lock()
        self._began = self._mark()
        self._echo = 0
        self._read_at: int | None = None

    @property
    def waits(self) -> bool:
        """Whether the peer should be told now what our clock shows."""
        return self._read_at is None or self._mark() - self._read_at >= int(READ_SECONDS * 1e9)

    def due(self) -> ClockReading | None:
        """What is to be said of our clock now; it counts as said."""
        return self.answer() if self.waits else None

    def answer(self) -> ClockReading:
        """What our clock shows, at once: the sooner after the peer's word, the closer the bounds."""
        with self._lock:
            self._read_at = self._mark()
            return ClockReading(self._clock.now_ns(), self._read_at, self._echo)

    def heard(self, reading: ClockReading) -> None:
        """The peer says this of its clock. An echo of what was never said in this call is none."""
        mark = self._mark()
        with self._lock:
            self._echo = reading.mark
        if self._told is None or not self._began <= reading.echo:
            return
        skew = skew_of(reading.now, reading.echo, mark, mark, self._clock.now_ns())
        if skew is not None:
            self._told.compared(self._peer, skew)

    def _mark(self) -> int:
        # From 1 on: 0 stands for no mark.
        return int(self._clock.monotonic() * 1e9) + 1
