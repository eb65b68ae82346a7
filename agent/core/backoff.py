"""How long to wait before the same thing is tried again."""

from __future__ import annotations


class Backoff:
    """Waits in seconds: ``first``, then twice as long each time, at most ``longest``. For one thread."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._wait = first

    @property
    def began(self) -> bool:
        """Whether there was a wait since the last success."""
        return self._wait != self._first

    def next_wait(self, longest: float | None = None) -> float:
        """The wait that is due now; ``longest``: another bound for the one after it."""
        wait = self._wait
        self._wait = min(wait * 2, self._longest if longest is None else longest)
        return wait

    def succeeded(self) -> None:
        """The next wait is the first one again."""
        self._wait = self._first
