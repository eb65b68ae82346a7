"""A clock that somebody sets."""

from __future__ import annotations

from agent.core.clock import ManualClock


class SetClock(ManualClock):
    """One whose time of day can be set, as an administrator does."""

    def set_by(self, seconds: float) -> None:
        """Set it forward by ``seconds``; what never falls stays as it is."""
        self._now_ns += int(seconds * 1e9)
