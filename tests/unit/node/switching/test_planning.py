"""A switchover that is planned: durable, begun at its time, and called off in words."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import Refused, TryAgain, UsageError
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import SWITCHING_OVER, SWITCHOVER_PLANNED
from agent.generations.local_time import exact_text, time_from
from agent.node.stepping.stepped import SteppedRun
from agent.node.switching.planning import PlannedSwitchovers
from agent.node.switching.role_keeping import TYPED
from agent.roles.switchover.planned import LATE, PlannedSwitchover, planned_time, read_plan, write_plan, zoned_plan
from agent.roles.switchover.steps import KIND, WantedSwitchover
from agent.status.state import Role
from agent.steps.record import Facts
from fakes.idle import nobody_told

NOW = 1_795_964_400_000_000_000
WANTED = WantedSwitchover("web", "beta", reason="a new kernel", typist="root (uid 0)")
SECOND = 1_000_000_000
WHO = {"uid": 0, "by": "root (uid 0)"}


class Member:
    """Satisfies ``PlanningMember``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.role = Role.PRIMARY
        self.board = ProblemBoard()
        self.begun: list[tuple[str, Facts]] = []
        self.run = SteppedRun(KIND, threading.Event(), nobody_told)
        self.busy = False

    def begin_steps(self, kind: str, arguments: Facts) -> SteppedRun:
        """See ``PlanningMember``."""
        if self.busy:
            raise TryAgain("begin a switchover", "web", "a rollback is under way already")
        self.begun.append((kind, arguments))
        return self.run

    def told(self) -> dict[str, str]:
        """What is on the board, by code."""
        return {str(one.code): one.message for one in self.board.listed()[0]}


@pytest.fixture
def member(tmp_path: Path) -> Member:
    """A primary of which nothing is planned."""
    return Member(tmp_path)


def _planned(member: Member, seconds: int = 60) -> tuple[PlannedSwitchovers, ManualClock]:
    clock = ManualClock(NOW)
    planned = PlannedSwitchovers("web", member, clock)
    planned.set(PlannedSwitchover(NOW + seconds * SECOND, WANTED, uid=0))
    return planned, clock


def test_it_is_shown_and_begun_at_its_time(member: Member) -> None:
    """Not before, and once; the plan is gone then."""
    planned, clock = _planned(member)
    planned.tick()
    assert (["switchover-planned"], []) == ([*member.told()], member.begun)
    clock.advance(60)
    planned.tick()
    planned.tick()
    assert [(KIND, {**WANTED.as_facts(), TYPED: WHO})] == member.begun
    assert ({}, None) == (member.told(), read_plan(member.home))


def test_it_outlives_the_agent(member: Member) -> None:
    """The next process begins it, and knows who planned it; one that comes too late says so and begins nothing."""
    _planned(member)
    again = PlannedSwitchovers("web", member, ManualClock(NOW + 61 * SECOND))
    again.tick()
    assert [WHO] == [facts[TYPED] for _, facts in member.begun]
    _planned(member)
    late = PlannedSwitchovers("web", member, ManualClock(NOW + 61 * SECOND + LATE))
    late.tick()
    assert (1, True) == (len(member.begun), "the agent did not run" in member.told()[SWITCHING_OVER])


def test_a_gate_that_fell_calls_it_off(member: Member) -> None:
    """Nobody waits for the answer, so it is said where an operator looks."""
    planned, clock = _planned(member)
    clock.advance(60)
    planned.tick()
    member.run.error = Refused("switch over", "web", "verified: never", "hikae verify web")
    member.run.done.set()
    planned.tick()
    told = member.told()[SWITCHING_OVER]
    assert ("verified: never" in told, "hikae verify web" in told) == (True, True)


@pytest.mark.parametrize("why", ["busy", "standby"])
def test_what_cannot_begin_is_said(member: Member, why: str) -> None:
    """Another list of steps is under way, or the primary is another node by now."""
    planned, clock = _planned(member)
    member.busy, member.role = why == "busy", Role.STANDBY if why == "standby" else Role.PRIMARY
    clock.advance(60)
    planned.tick()
    assert ([], ["switchover-failed"]) == (member.begun, [*member.told()])


def test_it_is_called_off(member: Member) -> None:
    """By an operator, who is told what it was."""
    planned, clock = _planned(member)
    before = planned.set(None)
    clock.advance(60)
    planned.tick()
    assert (WANTED, None, []) == (before.wanted if before else None, planned.plan, member.begun)
    assert SWITCHOVER_PLANNED not in member.told()


def test_a_plan_that_is_torn_is_none(tmp_path: Path) -> None:
    """Nothing is begun by it."""
    write_plan(tmp_path, PlannedSwitchover(NOW, WANTED))
    path = tmp_path / "switchover-planned.json"
    path.write_text(path.read_text()[:20])
    assert read_plan(tmp_path) is None


def test_a_time_is_the_next_one(tmp_path: Path) -> None:
    """Of a clock's face; a date is what it says, and one that is past is refused."""
    shown = exact_text(NOW + 3600 * SECOND)
    assert NOW + 3600 * SECOND == planned_time(shown, NOW)
    for text in ("02:00", "14:30", "23:59"):
        at = planned_time(text, NOW)
        assert (at, True) == (time_from(text, NOW + 86_400 * SECOND), NOW < at <= NOW + 86_400 * SECOND)
        assert at == planned_time(zoned_plan(text, NOW), NOW)
    for text in (exact_text(NOW - SECOND), "2099-01-01", "yesterday"):
        with pytest.raises(UsageError):
            planned_time(text, NOW)
