"""A copy that has no hurry stands back while others need the host, and goes on at once when they do not.

What the copy itself causes is no reason to stand back. So others are looked for while it pauses: once it has been at work for a
while and somebody waits for a processor or a disk, it pauses for a moment, lets what it began come to rest, and listens. While
others are there it works for a small part of each second, which grows only as long as nobody waits for a processor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from agent.capture.device.host_load import HostLoad, host_load


@dataclass(frozen=True, slots=True)
class YieldLimits:
    """Seconds: ``begins``: of work before anything is looked at; ``every``: between two looks at full speed; ``rest``: until what
    was begun is done; ``listen``: at least; ``sure``: again, before the first standing back; ``cycle``: of work and pause.

    Shares of time: ``least``, ``most``: of work while others are there; ``stalled``: in which somebody waits for a processor;
    ``waiting``: the same of a disk, while the copy pauses. ``others``: processors that others use."""

    begins: float = 3.0
    every: float = 5.0
    rest: float = 0.1
    listen: float = 0.1
    sure: float = 0.3
    cycle: float = 1.0
    least: float = 0.05
    most: float = 0.5
    stalled: float = 0.1
    waiting: float = 0.2
    others: float = 0.3


@dataclass(frozen=True, slots=True)
class HostUse:
    """Between two looks, a second: processors that others used, and the shares of time in which somebody waited."""

    others: float
    stalled: float
    waiting: float

    @classmethod
    def between(cls, before: HostLoad, after: HostLoad) -> HostUse:
        """What happened from one look to the next."""
        took = max(after.at - before.at, 1e-6)
        return cls(
            (after.used - before.used) / took,
            (after.cpu_stalled - before.cpu_stalled) / took,
            (after.io_stalled - before.io_stalled) / took,
        )


def next_share(share: float, at_work: HostUse, paused: HostUse, limits: YieldLimits) -> float:
    """The part of its time in which the copy works from now on; ``share``: until now. Pure."""
    if not are_there(paused, limits):
        return 1.0
    if share == 1.0:
        return limits.least
    if paused.waiting >= limits.waiting or max(at_work.stalled, paused.stalled) > limits.stalled:
        return max(limits.least, share / 2)
    return min(limits.most, share * 1.5)


def are_there(paused: HostUse, limits: YieldLimits) -> bool:
    """Whether others are at work, by what happened while the copy paused. Pure."""
    return paused.others >= limits.others or paused.waiting >= limits.waiting


class _Phase(Enum):
    WORK = "at work"
    REST = "what was begun is being done"
    LISTEN = "others are listened for"


class Yielding:
    """Asked before every step of a copy. For one thread. ``look``: ``host_load``; where it knows nothing, nobody stands back."""

    def __init__(self, look: Callable[[], HostLoad | None], limits: YieldLimits = YieldLimits()) -> None:
        #: The part of its time in which the copy works.
        self.share = 1.0
        #: Since when it has not worked all the time, monotonic seconds; None while it does.
        self.since: float | None = None
        self._look = look
        self._limits = limits
        self._phase = _Phase.WORK
        self._until = 0.0
        self._sure = False
        self._before: HostLoad | None = None
        self._at_work = HostUse(0.0, 0.0, 0.0)

    def begin(self, now: float) -> None:
        """A copy begins: at full speed."""
        self.share, self.since, self._sure = 1.0, None, False
        self._enter(_Phase.WORK, now + self._limits.begins, self._look())

    def pause(self, now: float) -> float:
        """Seconds to wait before asking again; 0: go on with a step. ``now``: monotonic seconds."""
        if now < self._until:
            return 0.0 if self._phase is _Phase.WORK else self._until - now
        return self._next(now)

    def _next(self, now: float) -> float:
        before, found = self._before, self._look()
        if before is None or found is None:
            self._enter(_Phase.WORK, now + self._limits.every, found)
            return 0.0
        use = HostUse.between(before, found)
        match self._phase:
            case _Phase.WORK:
                return self._worked(use, now, found)
            case _Phase.REST:
                self._enter(_Phase.LISTEN, now + self._listens_for(), found)
                return self._listens_for()
            case _Phase.LISTEN:
                return self._listened(use, now, found)

    def _worked(self, use: HostUse, now: float, found: HostLoad) -> float:
        self._at_work = use
        if self.share == 1.0 and max(use.stalled, use.waiting) < self._limits.stalled:
            self._enter(_Phase.WORK, now + self._limits.every, found)
            return 0.0
        self._enter(_Phase.REST, now + self._limits.rest, found)
        return self._limits.rest

    def _listened(self, use: HostUse, now: float, found: HostLoad) -> float:
        limits = self._limits
        if self.share == 1.0 and not self._sure and are_there(use, limits):
            self._sure = True
            self._enter(_Phase.LISTEN, now + limits.sure, found)
            return limits.sure
        self._sure = False
        self.share = next_share(self.share, self._at_work, use, limits)
        self.since = None if self.share == 1.0 else now if self.since is None else self.since
        works_for = limits.every if self.share == 1.0 else limits.cycle * self.share
        self._enter(_Phase.WORK, now + works_for, found)
        return 0.0

    def _listens_for(self) -> float:
        limits = self._limits
        return max(limits.listen, limits.cycle * (1 - self.share) - limits.rest)

    def _enter(self, phase: _Phase, until: float, found: HostLoad | None) -> None:
        self._phase, self._until, self._before = phase, until, found


def yields_to_others() -> Yielding:
    """By what the kernel tells of this host."""
    return Yielding(host_load)
