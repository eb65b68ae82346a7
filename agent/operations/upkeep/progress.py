"""Says how far a long look at a vault is, to whoever waits for it."""

from __future__ import annotations

import time

from agent.core.errors import TryAgain
from agent.operations.running import DatasetCall

#: Seconds from one word to the next.
STEP = 0.5


class UpkeepProgress:
    """Passes on how it goes, at most each half second. ``operation``: what is done, for people; ``phase``: for programs."""

    def __init__(self, call: DatasetCall, operation: str, phase: str) -> None:
        self._call = call
        self._operation = operation
        self._phase = phase
        self._due = 0.0

    def __call__(self, **so_far: int | str) -> None:
        """Raises ``TryAgain`` when the agent stops."""
        if self._call.agent.stopping.is_set():
            raise TryAgain(self._operation, self._call.dataset, "the agent is stopping")
        now = time.monotonic()
        if now >= self._due:
            self._due = now + STEP
            self._call.progress({"phase": self._phase, **so_far})
