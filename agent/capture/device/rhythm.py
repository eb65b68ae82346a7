"""How often a device is committed, how many rounds go before, and when what is left fits the freeze. Pure.

A round reads what became dirty during the one before. It fits when it can be read within the time for which the filesystems may
stand still, at the rate that reads had. A writer that is faster than that is waited for a little longer each time, up to
``longest``, and it is said: the device is *behind*.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


@dataclass(frozen=True, slots=True)
class RhythmLimits:
    """``rounds``: at most so many before a freeze; ``memory``: bytes that may be read within one; ``least``: so many always fit;
    ``longest``: seconds that a stretched freeze may read for; ``share``: of the time the filesystems may stand still in the long
    run; ``deadline``: seconds after which the guard thaws; ``rate``: bytes a second, until it was measured; ``looks``: how often
    a device that nobody can freeze is looked at for a moment in which nothing is written; ``retry``: seconds
    between two tries at what could not be read, ``retried``: so many places of it each time, since a disk may take seconds over
    one, ``unpermitted``: at a freeze for which a privilege is missing."""

    rounds: int = 6
    memory: int = 64 << 20
    least: int = 2 << 20
    longest: float = 1.0
    share: float = 0.05
    deadline: float = 5.0
    rate: float = 200e6
    looks: int = 3
    retry: float = 60.0
    retried: int = 16
    unpermitted: float = 10.0


LIMITS = RhythmLimits()


class NextStep(Enum):
    """What follows a round."""

    READ = "another round"
    FREEZE = "the rest fits"
    LATER = "it does not fit"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """``rpo`` and ``freeze`` as configured, seconds. ``rate``: bytes a second that are read; ``stretch``: by how much the freeze
    may read longer than ``freeze``, since it did not fit; ``stood``: seconds that the last freeze took whole; ``took``: seconds
    of the last commit from its first round on."""

    rpo: float
    freeze: float
    limits: RhythmLimits
    rate: float
    stretch: float = 1.0
    stood: float = 0.0
    took: float = 0.0

    @classmethod
    def begin(cls, rpo: float, freeze: float, limits: RhythmLimits = LIMITS) -> Rhythm:
        """Before anything was measured."""
        return cls(rpo, freeze, limits, limits.rate)

    @property
    def reads_for(self) -> float:
        """Seconds that a freeze may read for."""
        return max(self.freeze, min(self.freeze * self.stretch, self.limits.longest))

    @property
    def fits(self) -> int:
        """Bytes that may be left for the freeze."""
        return max(self.limits.least, min(self.limits.memory, int(self.rate * self.reads_for)))

    @property
    def interval(self) -> float:
        """Seconds from one commit's beginning to the next: longer than ``rpo`` where freezes, or the rounds, take their part."""
        return max(self.rpo, self.stood / self.limits.share, self.took)

    @property
    def is_behind(self) -> bool:
        """Whether ``rpo`` and ``freeze`` are not both kept."""
        return self.stretch > 1.0 or self.interval > 2 * self.rpo

    def after_round(self, rounds: int, left: int) -> NextStep:
        """``rounds`` were read, ``left`` bytes became dirty during the last."""
        if left <= self.fits:
            return NextStep.FREEZE
        return NextStep.READ if rounds < self.limits.rounds else NextStep.LATER

    def not_fitting(self) -> Rhythm:
        """The rounds did not shrink: the next freeze may take longer."""
        return replace(self, stretch=min(self.stretch * 2, max(1.0, self.limits.longest / self.freeze)))

    def committed(self, stood: float) -> Rhythm:
        """A commit was made, for which nobody could write for ``stood`` seconds."""
        return replace(self, stood=stood, stretch=max(1.0, self.stretch / 2))

    def read(self, size: int, seconds: float) -> Rhythm:
        """So many bytes were read within ``seconds``; small reads say little."""
        if size < self.limits.least or seconds <= 0:
            return self
        return replace(self, rate=0.7 * self.rate + 0.3 * size / seconds)
