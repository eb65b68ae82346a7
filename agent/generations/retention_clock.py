"""The clock by which generations grow old: it moves by the lesser of wall clock and time since boot, so no jump expires anything.

A wall clock that is set forward by years, set back, or dead moves it by what really passed at most. While the machine is off it
stands: what is kept is kept longer, never shorter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Ticks:
    """What the clocks of the machine show: ``wall`` (UTC ns), ``since_boot`` (ns), and of which ``boot``."""

    wall: int
    since_boot: int
    boot: str


@dataclass(frozen=True, slots=True)
class RetentionTime:
    """``now`` (ns), as it was when the machine's clocks showed ``at``."""

    now: int
    at: Ticks

    def moved(self, ticks: Ticks) -> RetentionTime:
        """As it is when they show ``ticks``. After a boot no more than the time since then has passed for sure."""
        same = ticks.boot == self.at.boot and ticks.since_boot >= self.at.since_boot
        since_boot = ticks.since_boot - self.at.since_boot if same else ticks.since_boot
        passed = max(0, min(ticks.wall - self.at.wall, since_boot))
        return replace(self, now=self.now + passed, at=ticks)


def first_retention_time(ticks: Ticks) -> RetentionTime:
    """The clock of a node that had none: it is as late as the wall clock says."""
    return RetentionTime(ticks.wall, ticks)
