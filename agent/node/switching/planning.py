"""A switchover that is planned on its primary: shown until it is due, begun then, and called off in words."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Protocol

import structlog

from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import SWITCHING_OVER, SWITCHOVER_PLANNED
from agent.generations.local_time import time_text
from agent.node.stepping.stepped import SteppedRun
from agent.node.switching.role_keeping import TYPED
from agent.roles.switchover.planned import PlannedSwitchover, PlanStanding, due, read_plan, write_plan
from agent.roles.switchover.steps import KIND
from agent.status.state import Role
from agent.steps.record import Facts

_log = structlog.get_logger("node")


class PlanningMember(Protocol):
    """The dataset (``node.member.Member``)."""

    @property
    def role(self) -> Role: ...

    @property
    def home(self) -> Path: ...

    board: ProblemBoard

    def begin_steps(self, kind: str, arguments: Facts) -> SteppedRun:
        """Begin a list of recorded steps. Raises ``TryAgain`` while one is under way."""
        ...


class PlannedSwitchovers:
    """Of one dataset. :meth:`tick` is for who tends it, the rest for any thread."""

    def __init__(self, dataset: str, member: PlanningMember, clock: Clock) -> None:
        self._dataset = dataset
        self._member = member
        self._clock = clock
        self._lock = threading.Lock()
        self._plan = read_plan(member.home)
        self._run: SteppedRun | None = None

    @property
    def plan(self) -> PlannedSwitchover | None:
        """What is planned."""
        return self._plan

    def set(self, plan: PlannedSwitchover | None) -> PlannedSwitchover | None:
        """Plan that and nothing else, durably; what was planned before. Raises ``StoreFailed``."""
        with self._lock:
            before = self._plan
            write_plan(self._member.home, plan)
            self._plan = plan
        self._member.board.clear(SWITCHING_OVER)
        self._tell()
        return before

    def tick(self) -> None:
        """Once a second."""
        self._tell()
        self._look_back()
        plan = self._plan
        if plan is None or (now := due(plan, self._clock.now_ns())) is PlanStanding.LATER:
            return
        try:
            self.set(None)
            if now is PlanStanding.MISSED:
                self._called_off("the agent did not run at that time, or the clock was set")
            elif self._member.role is not Role.PRIMARY:
                self._called_off("this node is not the primary any more")
            else:
                self._run = self._member.begin_steps(KIND, {**plan.wanted.as_facts(), TYPED: _typed(plan)})
        except HikaeError as error:
            self._called_off(error.sentence)

    def _look_back(self) -> None:
        """Why the one that was begun here did not come to its end: nobody waits for its answer."""
        run = self._run
        if run is None or not run.done.is_set():
            return
        self._run = None
        if run.error is not None:
            self._called_off(f"{run.error.sentence}; {run.error.remedy}")

    def _called_off(self, why: str) -> None:
        _log.warning("a planned switchover was called off", dataset=self._dataset, reason=why)
        message = f"the switchover that was planned was called off: {why}"
        remedy = f"put that right, then: hikae switchover {self._dataset}"
        now = self._clock.now_ns()
        self._member.board.put(Problem(SWITCHING_OVER, Severity.WARNING, now, b"", message, remedy))

    def _tell(self) -> None:
        plan, board = self._plan, self._member.board
        if plan is None:
            board.clear(SWITCHOVER_PLANNED)
            return
        message = f"{self._dataset} is switched over to {plan.wanted.to} at {time_text(plan.at)}"
        remedy = f"to call it off: hikae switchover {self._dataset} --cancel"
        board.put(Problem(SWITCHOVER_PLANNED, Severity.INFO, self._clock.now_ns(), b"", message, remedy))


def _typed(plan: PlannedSwitchover) -> Facts:
    """Who planned it is who typed it, hours before."""
    return {"uid": plan.uid, "by": plan.wanted.typist}
