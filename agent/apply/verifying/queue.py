"""The verifies of one standby that are under way: each gets a slice in turn, between two converges."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field

from agent.apply.applies import SlicedVerify
from agent.apply.results import ApplyProgress, Report, VerifyReport
from agent.core.errors import HikaeError, Refused
from agent.fs.io_priority import low_io_priority


@dataclass(frozen=True, slots=True)
class VerifyOrder:
    """``low``: others come first, on the disk and at the processor. ``outcome`` gets the report, or what ended the verify."""

    deep: bool
    repair: bool
    low: bool
    progress: Report
    outcome: Future[VerifyReport] = field(default_factory=Future, compare=False)


@dataclass(slots=True)
class _UnderWay:
    order: VerifyOrder
    verification: SlicedVerify
    due: float = 0.0


class VerifyQueue:
    """``begin`` makes the verification of an order; ``clock``: seconds that never fall. :meth:`add` by any thread, else by the
    applying one."""

    def __init__(self, begin: Callable[[VerifyOrder], SlicedVerify], clock: Callable[[], float]) -> None:
        self._begin = begin
        self._clock = clock
        self._added: deque[VerifyOrder] = deque()
        self._under_way: deque[_UnderWay] = deque()
        #: How far the one is that had a slice last; None while there is none. Any thread.
        self.progress: ApplyProgress | None = None

    def add(self, order: VerifyOrder) -> None:
        """Begin with it at the next turn."""
        self._added.append(order)

    def seconds_left(self) -> float | None:
        """Until the next slice is due; None without a verify."""
        if self._added:
            return 0.0
        if not self._under_way:
            return None
        return max(0.0, min(one.due for one in self._under_way) - self._clock())

    def turn(self) -> None:
        """A slice of the verify that waits longest, if one is due."""
        while self._added:
            order = self._added.popleft()
            if order.outcome.set_running_or_notify_cancel():
                self._under_way.append(_UnderWay(order, self._begin(order)))
        begun = self._clock()
        one = next((one for one in self._under_way if one.due <= begun), None)
        if one is None:
            return
        self._under_way.remove(one)
        goes_on = self._goes_on(one)
        self.progress = one.verification.progress if goes_on or self._under_way else None
        if goes_on:
            now = self._clock()
            one.due = now + (one.verification.rest_after(now - begun) if one.order.low else 0.0)
            self._under_way.append(one)

    def _goes_on(self, one: _UnderWay) -> bool:
        """Take a slice; whether another is to follow."""
        outcome = one.order.outcome
        try:
            with low_io_priority() if one.order.low else nullcontext():
                report = one.verification.turn()
        except (HikaeError, OSError) as error:
            outcome.set_exception(error)
            return False
        if report is not None:
            outcome.set_result(report)
        return report is None

    def end(self) -> None:
        """The agent stops."""
        for order in (*self._added, *(one.order for one in self._under_way)):
            if not order.outcome.done():
                order.outcome.set_exception(Refused("verify", "", "the agent is stopping"))
        self._added.clear()
        self._under_way.clear()
