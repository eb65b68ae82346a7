"""Barriers that this node asks the primary for, in the call that it serves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from agent.core.errors import TryAgain
from agent.stream.messages import AskBarrier, BarrierReached, Together

#: So often, in seconds, whoever waits looks whether that is still wanted.
_LOOK = 0.5


@dataclass(slots=True)
class AskedBarrier:
    """One question. ``lost``: why it is not answered any more."""

    ask: AskBarrier
    sent: bool = False
    answer: BarrierReached | None = None
    lost: str = ""

    @property
    def over(self) -> bool:
        return self.answer is not None or bool(self.lost)


class AskedBarriers:
    """Of one standby. :meth:`ask` by any thread; the others by the thread that serves the call. ``wake`` lets that look up;
    ``connected``: whether there is one."""

    def __init__(self, primary: str, wake: Callable[[], None], connected: Callable[[], bool]) -> None:
        self.primary = primary
        self._wake = wake
        self._connected = connected
        self._condition = threading.Condition()
        self._last = 0
        self._waiting: list[AskedBarrier] = []

    def ask(self, quiesce: bool, seconds: float, still_wanted: Callable[[], None]) -> BarrierReached:
        """What the primary says, which may be why there is none. Calls ``still_wanted`` at least each second, which raises what
        is to end it. Raises ``TryAgain`` with why it does not say anything."""
        return self.answer_to(self.begin(quiesce), seconds, still_wanted)

    def begin(self, quiesce: bool, together: Together | None = None) -> AskedBarrier:
        """Ask, and wait for no answer; whoever does so calls :meth:`answer_to`, or :meth:`forget`. Raises ``TryAgain``."""
        if not self._connected():
            raise self._silent("it is not connected")
        with self._condition:
            self._last += 1
            one = AskedBarrier(AskBarrier(self._last, quiesce, together))
            self._waiting.append(one)
        self._wake()
        return one

    def answer_to(self, one: AskedBarrier, seconds: float, still_wanted: Callable[[], None]) -> BarrierReached:
        """The answer to a question that was begun; as :meth:`ask`."""
        try:
            self._wait(one, seconds, still_wanted)
        finally:
            self.forget(one)
        if one.answer is None:
            raise self._silent(one.lost or f"it did not answer within {seconds:.0f} s")
        return one.answer

    def forget(self, one: AskedBarrier) -> None:
        """Nobody waits for its answer any more."""
        with self._condition:
            if one in self._waiting:
                self._waiting.remove(one)

    def _wait(self, one: AskedBarrier, seconds: float, still_wanted: Callable[[], None]) -> None:
        deadline = time.monotonic() + seconds
        while not one.over and (left := deadline - time.monotonic()) > 0:
            with self._condition:
                self._condition.wait_for(lambda: one.over, min(left, _LOOK))
            still_wanted()

    def due(self) -> tuple[AskBarrier, ...]:
        """What is to be asked now; it counts as asked."""
        if not self._waiting:
            return ()
        with self._condition:
            new = [one for one in self._waiting if not one.sent]
            for one in new:
                one.sent = True
        return tuple(one.ask for one in new)

    def reached(self, barrier: BarrierReached) -> None:
        """The primary answers; what covers the newest question covers those before it in this call, but for moments of a group,
        which have answers of their own."""
        with self._condition:
            for one in self._waiting:
                covered = one.ask.id == barrier.id or (one.ask.id < barrier.id and one.ask.together is None)
                if one.sent and covered and not one.over:
                    one.answer = barrier
            self._condition.notify_all()

    def call_ended(self) -> None:
        """Nobody will answer what was asked in it."""
        with self._condition:
            for one in self._waiting:
                if one.sent and not one.over:
                    one.lost = "the connection was lost"
            self._condition.notify_all()

    def _silent(self, why: str) -> TryAgain:
        return TryAgain("ask for a barrier", self.primary, why, "see hikae status")
