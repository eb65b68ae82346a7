"""How fast a peer may be sent to: rates within hours of the local day (``[dataset.limits]``), kept by a token bucket.

::

    limits, local time ─allowed→ rate, until when ─┐
    bytes that went, seconds ────Bucket────────────┴→ Pace.take: now, or in so many seconds

The decisions are pure; :class:`Pace` holds the little that must outlive a batch, and reads everything else once per batch, so
that limits may be changed while a call runs.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from agent.config.values import Limit, Limits
from agent.core.clock import Clock
from agent.stream.messages import BATCH_TARGET

#: UTC seconds since 1970 → the local clock then, with its offset.
LocalTime: TypeAlias = Callable[[float], datetime]

#: What may go at once after a rest, in seconds of the rate; at least one batch.
BURST_SECONDS = 1.0
STANDS_STILL = 0
_DAY = 1440
#: Within so many seconds every hour of the day has come, also when the clock skips some of them.
_HORIZON = 3 * 86_400


def local_time(seconds: float) -> datetime:
    """The machine's own clock on the wall."""
    return datetime.fromtimestamp(seconds, UTC).astimezone()


@dataclass(frozen=True, slots=True)
class Allowance:
    """``rate``: bytes a second, 0 while sending stands still, None without a limit. ``until``: when that changes (UTC
    seconds; None: never)."""

    rate: int | None
    until: float | None


def allowed(limits: Sequence[Limit], now: float, local: LocalTime) -> Allowance:
    """What ``limits`` allow at ``now`` (UTC seconds). Of entries that overlap the first one counts; outside of all of them
    sending stands still; no entries are no limit."""
    rate = _rate(limits, local(now))
    return Allowance(rate, _change(limits, rate, now, local))


def _rate(limits: Sequence[Limit], moment: datetime) -> int | None:
    minute = moment.hour * 60 + moment.minute
    for limit in limits:
        if limit.hours is None or _within(limit.hours, minute):
            return limit.rate
    return STANDS_STILL if limits else None


def _within(hours: tuple[int, int], minute: int) -> bool:
    start, end = hours
    return start <= minute < end if start < end else minute >= start or minute < end


def _change(limits: Sequence[Limit], rate: int | None, now: float, local: LocalTime) -> float | None:
    """The first moment after ``now`` at which the rate is another."""
    edges = {edge for limit in limits if limit.hours is not None for edge in limit.hours}
    at = now
    while edges and at < now + _HORIZON:
        at = _next_edge(edges, at, local)
        if _rate(limits, local(at)) != rate:
            return at
    return None


def _next_edge(edges: set[int], at: float, local: LocalTime) -> float:
    """When the local clock next shows one of ``edges`` (minutes of the day), or is put forward or back, if that is sooner."""
    here = local(at)
    minute = here.hour * 60 + here.minute
    begun = math.floor(at) - here.second
    ahead = min((edge - minute - 1) % _DAY + 1 for edge in edges)
    same, other = 0, ahead
    if local(begun + ahead * 60).utcoffset() == here.utcoffset():
        return begun + ahead * 60
    while other - same > 1:
        middle = (same + other) // 2
        if local(begun + middle * 60).utcoffset() == here.utcoffset():
            same = middle
        else:
            other = middle
    return begun + other * 60


@dataclass(frozen=True, slots=True)
class Bucket:
    """``level`` bytes may go at ``at`` (monotonic seconds). Below zero: a batch that was larger than the bucket is being
    worked off."""

    level: float
    at: float

    def refilled(self, rate: int, now: float) -> Bucket:
        """The bucket at ``now``, after it was filled at ``rate``."""
        return Bucket(min(_depth(rate), self.level + rate * max(0.0, now - self.at)), now)

    def seconds_for(self, size: int, rate: int) -> float:
        """How long until ``size`` bytes may go; 0: now."""
        return max(0.0, (min(size, _depth(rate)) - self.level) / rate)

    def without(self, size: int) -> Bucket:
        """``size`` bytes have gone."""
        return Bucket(self.level - size, self.at)


def _depth(rate: int) -> float:
    return max(rate * BURST_SECONDS, BATCH_TARGET)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is in force for a peer now. ``first_sync``: by the list for it, else by the steady one."""

    first_sync: bool
    allowance: Allowance


class Pace:
    """The pace of one dataset towards one peer, over all of its calls. Any thread.

    ``limits`` and ``first_sync`` (whether the peer is in its first sync) are asked at every batch; both must be cheap."""

    def __init__(
        self,
        limits: Callable[[], Limits],
        first_sync: Callable[[], bool],
        clock: Clock,
        local: LocalTime = local_time,
    ) -> None:
        self._limits = limits
        self._first_sync = first_sync
        self._clock = clock
        self._local = local
        self._lock = threading.Lock()
        self._bucket = Bucket(math.inf, clock.monotonic())
        self._known: tuple[Sequence[Limit], int, Allowance] | None = None

    def terms(self) -> Terms:
        """What is in force now."""
        first = self._first_sync()
        limits = self._limits()
        return Terms(first, self._allowance(limits.first_sync if first else limits.steady))

    @property
    def stands_still(self) -> bool:
        """Whether nothing may go now."""
        return self.terms().allowance.rate == STANDS_STILL

    def take(self, size: int) -> float:
        """0.0: ``size`` bytes may go, and count as gone. Else in how many seconds it is worth asking again; they may be many."""
        allowance = self.terms().allowance
        if allowance.rate is None:
            return 0.0
        if allowance.rate == STANDS_STILL:
            return math.inf if allowance.until is None else max(0.001, allowance.until - self._now())
        with self._lock:
            self._bucket = self._bucket.refilled(allowance.rate, self._clock.monotonic())
            seconds = self._bucket.seconds_for(size, allowance.rate)
            if not seconds:
                self._bucket = self._bucket.without(size)
            return seconds

    def _allowance(self, limits: Sequence[Limit]) -> Allowance:
        """What ``limits`` allow now. It changes with a minute, or with the limits, and is looked up as seldom."""
        now = self._now()
        known, minute = self._known, int(now // 60)
        if known is None or known[0] is not limits or known[1] != minute:
            known = self._known = (limits, minute, allowed(limits, now, self._local))
        return known[2]

    def _now(self) -> float:
        return self._clock.now_ns() / 1e9
