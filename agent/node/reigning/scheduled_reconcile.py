"""The look at the whole source by schedule: when is it due?"""

from __future__ import annotations

from datetime import UTC, datetime

from cronsim import CronSim

from agent.core.clock import Clock


class ScheduledReconcile:
    """Of one dataset, by the thread that ticks. ``line``: five fields as of cron, in this node's time; None for never. What was
    missed while the agent was stopped is not made up for: every start looks at the whole source."""

    def __init__(self, line: str | None, clock: Clock) -> None:
        self._clock = clock
        self.configure(line)

    def configure(self, line: str | None) -> None:
        """Another schedule holds from now on."""
        self._moments = CronSim(line, self._now()) if line else None
        self._next = next(self._moments) if self._moments is not None else None

    def take_due(self) -> bool:
        """Whether the look is due; after this not before the next moment of the schedule."""
        if self._next is None or self._moments is None or self._now() < self._next:
            return False
        self._next = next(self._moments)
        return True

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ns() / 1e9, UTC).astimezone()
