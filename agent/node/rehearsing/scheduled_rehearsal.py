"""The rehearsal of a standby by schedule: begun when it is due, made up for once when it was missed, told when it is overdue."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import structlog

from agent.config.values import Dataset
from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import REHEARSAL_OVERDUE
from agent.node.following.checking.verify_schedule import VerifySchedule
from agent.node.rehearsing.last_rehearsal import LastRehearsal
from agent.status.figures import span_text

#: One that could not be begun, or did not come to its end, is tried again after so many seconds.
AGAIN_SECONDS = 600.0
_log = structlog.get_logger("node")


class ScheduledRehearsal:
    """Of one dataset; by the thread that ticks. ``begin``: begins one, without waiting for it; raises ``HikaeError``."""

    def __init__(self, last: LastRehearsal, board: ProblemBoard, clock: Clock, begin: Callable[[], None]) -> None:
        self._last = last
        self._board = board
        self._clock = clock
        self._begin = begin
        self._not_before = 0.0
        self._line = ""
        #: What a schedule that is new would have asked for before is not made up for.
        self._since = clock.now_ns()

    def tick(self, dataset: Dataset, kept_since: int, *, ready: bool) -> None:
        """Once a second, where a standby is kept since ``kept_since`` (UTC ns). ``ready``: it may be tried now."""
        line, now = dataset.rehearse.schedule or "", self._clock.now_ns()
        if line != self._line:
            self._since = now if self._line else kept_since or now
            self._line = line
        last = self._ended(kept_since)
        self._tell(dataset, last, now)
        if not line:
            return
        schedule = VerifySchedule(line, dataset.name)
        due = schedule.due(max(last, self._since))
        if ready and due is not None and now >= due and self._clock.monotonic() >= self._not_before:
            self._not_before = self._clock.monotonic() + AGAIN_SECONDS
            with suppress(HikaeError):
                self._begin()
                _log.info("the scheduled rehearsal begins", dataset=dataset.name)

    def _ended(self, kept_since: int) -> int:
        found = self._last.last
        return max(kept_since, found.time if found is not None else 0)

    def _tell(self, dataset: Dataset, last: int, now: int) -> None:
        wanted = _overdue(dataset, last, now)
        if not wanted:
            self._board.clear(REHEARSAL_OVERDUE)
        elif not self._board.has(REHEARSAL_OVERDUE):
            ago = span_text((now - last) / 1e9)
            was = "was rehearsed last" if self._last.last is not None else "was never rehearsed, and is kept since"
            message = f"the standby {was} {ago} ago; {wanted}"
            remedy = f"hikae rehearse {dataset.name}"
            self._board.put(Problem(REHEARSAL_OVERDUE, Severity.WARNING, now, b"", message, remedy))


def _overdue(dataset: Dataset, last: int, now: int) -> str:
    """What asks for one that is not there by now, in words; "" for nothing. ``last``: UTC ns, 0 where nothing is kept yet."""
    line, within = dataset.rehearse.schedule or "", dataset.promote.rehearsed_within
    overdue = VerifySchedule(line, dataset.name).overdue(last) if line else None
    if overdue is not None and now >= overdue:
        return f"its schedule is {line}"
    if within and last and now - last > within * 1_000_000_000:
        return f"a promotion asks for one within {span_text(within)} (rehearsed_within)"
    return ""
