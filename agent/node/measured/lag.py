"""How long a commit takes from here to a peer, on one clock; and up to which moment the peer has everything."""

from __future__ import annotations

import threading
from collections import deque

from agent.core.clock import Clock
from agent.core.ids import NOTHING, CommitNumber

_KEPT = 4096
#: What was measured counts for so long, in seconds, and if it took no longer: then nothing is missing, and nothing has been.
RECENT = 1.0


class LagMeter:
    """The lag of one peer to one level: durable, or applied. Thread-safe; bounded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: deque[tuple[CommitNumber, float, int]] = deque()
        self._measured: tuple[float, float] | None = None
        self._given = 0
        self._known = False
        self._newest = self._reached = NOTHING

    def found(self, number: CommitNumber, age: float) -> None:
        """At the opening: ``number``, captured ``age`` seconds ago, is the newest here. Where the peer stands is not known."""
        with self._lock:
            self._newest = number
            self._under_way.append((number, self._clock.monotonic() - max(0.0, age), 0))

    @property
    def unsure(self) -> bool:
        """Whether the peer has not yet said where it stands."""
        return not self._known

    def had_more_than(self, number: CommitNumber) -> bool:
        """Whether the peer was further before: what was there is gone, or was put back to an earlier time."""
        return number < self._reached

    def begins(self, number: CommitNumber, age: float | None) -> None:
        """The peer says for the first time, or is back at it, that it has everything up to ``number``; ``age``: seconds since the
        commit after it was captured, None when there is none."""
        with self._lock:
            self._known, self._reached = True, number
            while self._under_way and self._under_way[0][0] <= number:
                self._under_way.popleft()
            if age is not None and not self._under_way:
                self._under_way.append((self._newest, self._clock.monotonic() - age, self._given))
            elif age is not None:
                first, captured_at, given = self._under_way[0]
                self._under_way[0] = (first, min(captured_at, self._clock.monotonic() - age), given)

    def captured(self, number: CommitNumber, given: int = 0, since: float | None = None) -> None:
        """A commit is durable here and goes out; ``given``: bytes captured so far, with it; ``since``: since when the oldest of
        what it holds has waited for the link, monotonic seconds."""
        with self._lock:
            self._newest = number
            now = self._clock.monotonic()
            self._under_way.append((number, now if since is None else min(now, since), given))
            if len(self._under_way) > _KEPT:
                # Every second one, never the oldest: its age is the lag.
                self._under_way = deque(one for at, one in enumerate(self._under_way) if at % 2 == 0)

    def reached(self, number: CommitNumber) -> None:
        """Everything up to ``number`` is there."""
        with self._lock:
            now = self._clock.monotonic()
            self._known, self._reached = True, number
            while self._under_way and self._under_way[0][0] <= number:
                _, captured_at, self._given = self._under_way.popleft()
                self._measured = (now, now - captured_at)

    def waiting(self, given: int) -> int:
        """About how many bytes were captured for this peer since the commit that it has; ``given``: as in :meth:`captured`."""
        with self._lock:
            return given - self._given if self._under_way else 0

    def seconds(self) -> float | None:
        """The age of the oldest commit that is not there yet. With none missing: what the last took, if that was just now; else
        nought. None while it is not known where the peer stands."""
        with self._lock:
            now = self._clock.monotonic()
            if self._under_way:
                return now - self._oldest
            if not self._known:
                return None
            at, took = self._measured or (now, 0.0)
            return took if now - at < RECENT and took < RECENT else 0.0

    def as_of(self, put_off: float) -> int | None:
        """Everything written before this moment is there (UTC ns); None while it is not known where the peer stands. ``put_off``:
        for how long the oldest change has waited that no commit has yet, in seconds."""
        with self._lock:
            now = self._clock.now_ns()
            if not self._under_way:
                return now - int(put_off * 1e9) if self._known else None
            return now - int(max(self._clock.monotonic() - self._oldest, put_off) * 1e9)

    @property
    def _oldest(self) -> float:
        """When the oldest of what is under way was captured, or began to wait: not always what was committed first."""
        return min(at for _, at, _ in self._under_way)
