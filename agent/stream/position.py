"""How far a dataset has come on one node: one value behind a condition; whoever answers sends the newest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum

from agent.core.commit import Position
from agent.core.ids import NOTHING, CommitNumber


class Level(StrEnum):
    """How far a commit must have come: public words of ``hikae wait``."""

    DURABLE = "durable"
    APPLIED = "applied"


class PositionBoard:
    """The position of one dataset on one node. Thread-safe. ``durable`` falls by a new lineage only; what is applied also when
    the standby is gone, or put back to an earlier time."""

    def __init__(self, position: Position | None = None) -> None:
        self._condition = threading.Condition()
        self._position = position or Position()
        self._unheard = False
        self._watchers: list[Callable[[], None]] = []

    @property
    def position(self) -> Position:
        """The newest position."""
        return self._position

    def durable(self, number: CommitNumber) -> None:
        """``number`` is durable now."""
        self.publish(durable=number)

    def applied(self, number: CommitNumber) -> None:
        """``number`` is applied to the standby now."""
        self.publish(applied=number)

    def publish(self, durable: CommitNumber | None = None, applied: CommitNumber | None = None) -> None:
        """Set what is given, wake who waits, then call the watchers."""
        with self._condition:
            old = self._position
            new = Position(old.durable if durable is None else durable, old.applied if applied is None else applied)
            unheard, self._unheard = self._unheard, False
            if new == old and not unheard:
                return
            self._position = new
            self._condition.notify_all()
            watchers = tuple(self._watchers)
        for wake in watchers:
            wake()

    def nudge(self) -> None:
        """Call the watchers although nothing has changed: whoever serves a call is to look up."""
        with self._condition:
            watchers = tuple(self._watchers)
        for wake in watchers:
            wake()

    def unheard(self) -> None:
        """Nobody is there to say how far it is. What is durable stays so; what was applied may be lost with the power of that
        machine, so nobody's waiting ends by it until it is told again."""
        with self._condition:
            self._unheard = True

    def wait(self, level: Level, number: CommitNumber, timeout: float | None) -> bool:
        """Wait until ``level`` has reached ``number``; False after ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._condition:
            while self._at(level) < number:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._condition.wait(left)
            return True

    def watch(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` after every change, from the thread that made it; it must not block."""
        with self._condition:
            self._watchers.append(wake)

    def unwatch(self, wake: Callable[[], None]) -> None:
        """End :meth:`watch`. Unknown ones are no error."""
        with self._condition:
            if wake in self._watchers:
                self._watchers.remove(wake)

    def _at(self, level: Level) -> CommitNumber:
        if level is Level.DURABLE:
            return self._position.durable
        return NOTHING if self._unheard else self._position.applied
