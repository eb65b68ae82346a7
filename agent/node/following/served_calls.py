"""The calls of the primary that a standby serves now; a standby is closed after them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from agent.core.clock import Clock
from agent.core.errors import TryAgain
from agent.node.measured.visits import Visits
from agent.stream.receiving.receiver import Receiver

#: A call looks up at least each second.
CALLS_END_WITHIN = 5.0


class ServedCalls:
    """Of one dataset. Any thread."""

    def __init__(self, dataset: str, clock: Clock) -> None:
        self.visits = Visits(clock.now_ns())
        self._dataset = dataset
        self._clock = clock
        self._change = threading.Condition()
        self._closing = False
        self._serving: set[Receiver] = set()

    @property
    def connected(self) -> bool:
        """Whether the primary is connected now."""
        with self._change:
            return bool(self._serving)

    def began(self, receiver: Receiver) -> None:
        """A call is served. Raises ``TryAgain`` when no more are."""
        with self._change:
            self.require_open()
            if not self._serving:
                self.visits.came(self._clock.now_ns())
            self._serving.add(receiver)

    def require_open(self) -> None:
        """A call must not outlive the stores that it writes to. Raises ``TryAgain``."""
        if self._closing:
            reason = "the dataset is being opened anew there"
            raise TryAgain("serve a call", self._dataset, reason, "it is dialled again")

    def ended(self, receiver: Receiver) -> None:
        """It ended, or never began."""
        with self._change:
            self._serving.discard(receiver)
            if not self._serving:
                self.visits.went(self._clock.now_ns())
            self._change.notify_all()

    def while_nobody_calls(self, action: Callable[[], None]) -> None:
        """Do this unless a call is served, or no more are; a call that begins meanwhile waits for it."""
        with self._change:
            if not self._serving and not self._closing:
                action()

    def end_all(self) -> None:
        """Serve no more; waits a moment for those that go on."""
        with self._change:
            self._closing = True
            self._change.wait_for(lambda: not self._serving, CALLS_END_WITHIN)
