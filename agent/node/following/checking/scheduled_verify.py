"""The verify of a standby by schedule: begun when it is due, made up for once when it was missed, told when it is overdue."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Protocol

import structlog

from agent.apply.results import VerifyReport, silent
from agent.apply.verifying.queue import VerifyOrder
from agent.config.values import Dataset
from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import VERIFY_OVERDUE
from agent.core.standing import Verified
from agent.node.following.checking.last_verify import Verifies
from agent.node.following.checking.verify_schedule import VerifySchedule
from agent.status.figures import clock_text, span_text, stamp

#: What did not come to its end is tried again after so many seconds.
AGAIN_SECONDS = 600.0
_log = structlog.get_logger("node")


class Verifiable(Protocol):
    """A standby that is open (``node.standby.Standby``)."""

    @property
    def is_settled(self) -> bool:
        """Whether it is past its first sync, so that there is something to be verified."""
        ...

    def begin_verify(self, order: VerifyOrder) -> Future[VerifyReport]:
        """See ``ApplyLoop.begin_verify``."""
        ...


class ScheduledVerify:
    """Of one dataset; by the thread that ticks. ``slot``: has one place, for whoever verifies by schedule on this node."""

    def __init__(
        self, dataset: Dataset, verifies: Verifies, board: ProblemBoard, clock: Clock, slot: threading.Semaphore
    ) -> None:
        self._verifies = verifies
        self._board = board
        self._clock = clock
        self._slot = slot
        self._running: Future[VerifyReport] | None = None
        self._deep = False
        self._not_before = 0.0
        self._since = 0
        self._judged: tuple[int, int | None, int | None] = (-1, None, None)
        self._dataset = dataset
        self._schedule = self._made(dataset)

    def configure(self, dataset: Dataset) -> None:
        """Another schedule holds from now on: what it would have asked for before is not made up for."""
        if dataset.verify != self._dataset.verify:
            self._since = self._clock.now_ns()
            self._judged = (-1, None, None)
        self._dataset = dataset
        self._schedule = self._made(dataset)

    def _made(self, dataset: Dataset) -> VerifySchedule | None:
        return VerifySchedule(dataset.verify, dataset.name) if dataset.verify else None

    def tick(self, side: Verifiable | None) -> None:
        """Once a second; ``side``: the open standby, None where there is none."""
        self.take_result()
        if side is None:
            return
        now = self._clock.now_ns()
        self._verifies.begin(now)
        due, overdue = self._moments(now)
        self._tell(overdue is not None and now >= overdue)
        if due is not None and now >= due and side.is_settled and self._clock.monotonic() >= self._not_before:
            self._begin(side)

    def take_result(self) -> None:
        """What has ended is kept, or tried again later. To be called, too, once the side is closed."""
        running = self._running
        if running is None or not running.done():
            return
        self._running = None
        self._slot.release()
        try:
            report = running.result()
        except (HikaeError, OSError) as error:
            self._not_before = self._clock.monotonic() + AGAIN_SECONDS
            reason = error.sentence if isinstance(error, HikaeError) else str(error)
            _log.warning("the scheduled verify did not come to its end", dataset=self._dataset.name, reason=reason)
            return
        found = len(report.differences) + report.more
        verified = Verified(self._clock.now_ns(), report.equal, self._deep, found)
        self._verifies.ended(verified, [one.what for one in report.differences])

    def _moments(self, now: int) -> tuple[int | None, int | None]:
        """When it is due, and from when on overdue; looked for anew once something was verified."""
        verified = self._verifies.last
        last = min(now, max(self._verifies.began, verified.time if verified is not None else 0))
        if self._schedule is None:
            return None, None
        if last != self._judged[0]:
            due = self._schedule.due(max(last, self._since))
            self._judged = (last, due, self._schedule.overdue(last))
        return self._judged[1:]

    def _begin(self, side: Verifiable) -> None:
        if self._running is not None or not self._slot.acquire(blocking=False):
            return
        self._deep = self._dataset.verify_deep
        try:
            self._running = side.begin_verify(VerifyOrder(self._deep, False, True, silent))
        except HikaeError:
            self._slot.release()  # it closes
            return
        _log.info("the scheduled verify begins", dataset=self._dataset.name, deep=self._deep)

    def _tell(self, overdue: bool) -> None:
        if not overdue:
            self._board.clear(VERIFY_OVERDUE)
        elif not self._board.has(VERIFY_OVERDUE):
            self._board.put(self._problem(self._clock.now_ns()))

    def _problem(self, now: int) -> Problem:
        last, began = self._verifies.last, self._verifies.began
        since = last.time if last is not None else began
        clock = clock_text(stamp(since) or "", stamp(now) or "")
        what = f"was verified last {clock}" if last is not None else f"was never verified, and is kept since {clock}"
        message = f"the standby {what}, {span_text((now - since) / 1e9)} ago; its schedule is {self._dataset.verify}"
        return Problem(VERIFY_OVERDUE, Severity.WARNING, now, b"", message, f"hikae verify {self._dataset.name}")
