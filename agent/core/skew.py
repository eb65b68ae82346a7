"""How far the clocks of two nodes are apart, from what they say of theirs: pure.

::

    here      mark ───────────────────────────── heard        (seconds that never fall, of this node)
                 ╲                              ╱
    there         heard ── … ── reading, echo=mark            (UTC, of the other node)

The reading was taken somewhere between the two moments here, so the difference lies within bounds that nothing but a lie
can move: a slow link makes them wider, never wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

#: Clocks of nodes that are further apart than this are told, in ns; once they are, until they are within half of it.
APART_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A node's word of its clocks. ``now``: UTC ns; ``mark``: its own ns that never fall, for the echo; ``echo``: the newest
    mark of the other node that it has heard in this call, 0 before any."""

    now: int
    mark: int
    echo: int = 0


@dataclass(frozen=True, slots=True)
class Skew:
    """A peer's clock is so far ahead of ours, in ns: between ``least`` and ``most``; negative when it is behind."""

    least: int
    most: int

    @property
    def middle(self) -> int:
        """The best estimate."""
        return (self.least + self.most) // 2

    def moved(self, step: int) -> Skew:
        """After our own clock was set forward by ``step``."""
        return Skew(self.least - step, self.most - step)


class Comparisons(Protocol):
    """The one who is told what came out of comparing clocks."""

    def compared(self, peer: str, skew: Skew) -> None:
        """``peer``, whose name its certificate proved, read its clock just now. Any thread; must not block."""
        ...


def skew_of(said: int, after: int, before: int, mark: int, now: int) -> Skew | None:
    """From a reading ``said`` (UTC ns there) that was taken between ``after`` and ``before``, in marks of ours; ``mark`` and
    ``now`` (UTC ns) are of one moment here. None when those two moments are the wrong way round, which only a lie can make."""
    if not 0 < after <= before:
        return None
    ahead = said - (now - mark)
    return Skew(ahead - before, ahead - after)


def is_apart(skew: Skew, was: bool) -> bool:
    """Whether the clocks are certainly too far apart; ``was``: what was so before, which only what is certain changes."""
    limit = APART_NS // 2 if was else APART_NS
    if was:
        return not (-limit <= skew.least and skew.most <= limit)
    return skew.least > limit or skew.most < -limit
