"""Pauses end by themselves: when each of a dataset's two activities may go on."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from agent.core.clock import Clock
from agent.core.standing import Pause

SEND, APPLY = "send", "apply"


@dataclass(frozen=True, slots=True)
class BegunPause:
    """A pause as it began: ``since`` and ``until`` are UTC ns, ``until`` None: until it is resumed; ``by``: who typed it,
    "" where that is not known."""

    what: str
    since: int
    until: int | None
    by: str


FOREVER = float("inf")


class Pauses:
    """Until when sending and applying stand still. Thread-safe; forgotten when the agent restarts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}
        self._begun: dict[str, BegunPause] = {}

    def pause(self, what: str, seconds: float | None, by: str = "") -> None:
        """Begin or replace a pause."""
        now = self._clock.now_ns()
        until = None if seconds is None else now + int(seconds * 1e9)
        with self._lock:
            self._until[what] = FOREVER if seconds is None else self._clock.monotonic() + seconds
            self._begun[what] = BegunPause(what, now, until, by)

    def resume(self, what: str) -> BegunPause | None:
        """End a pause: the one that ended by that; none is no error."""
        with self._lock:
            begun = self._begun.pop(what, None)
            return begun if self._until.pop(what, 0.0) > self._clock.monotonic() else None

    def paused(self, what: str) -> bool:
        """Whether it stands still now."""
        with self._lock:
            return self._until.get(what, 0.0) > self._clock.monotonic()

    def told(self) -> tuple[Pause, ...]:
        """As status tells them."""
        now, wall = self._clock.monotonic(), self._clock.now_ns()
        with self._lock:
            return tuple(
                Pause(what, None if until == FOREVER else wall + int((until - now) * 1e9), self._begun[what].by)
                for what, until in self._until.items()
                if until > now
            )

    def until_ns(self) -> Mapping[str, int | None]:
        """What stands still, and until when (UTC ns; None: until resumed)."""
        return {one.what: one.until for one in self.told()}
