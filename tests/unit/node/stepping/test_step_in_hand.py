"""How a step waits, and how it ends."""

from __future__ import annotations

import threading

import pytest

from agent.core.errors import CalledOff, Refused, TryAgain
from agent.node.stepping.step_in_hand import StepInHand
from agent.node.stepping.stepped import SteppedRun
from fakes.idle import nobody_told


class _Answers:
    """Gives these one after another; an error is raised."""

    def __init__(self, *answers: str | Exception) -> None:
        self._answers = list(answers)

    def __call__(self, _seconds: float) -> str:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _step() -> tuple[StepInHand, SteppedRun]:
    run = SteppedRun("rejoin", threading.Event(), nobody_told)
    return StepInHand(run, "rejoin", "web", 0.001), run


def _nothing() -> None:
    """Whatever it is, it may still be answered."""


def test_a_step_is_told_and_ends_where_the_agent_ends() -> None:
    """The run knows the step; once the agent is to end no step begins, and none waits."""
    step, run = _step()
    step.begin("walk")
    run.ending.set()
    for act in (step.look, step.pause, lambda: step.begin("keep"), lambda: step.found(lambda: None)):
        with pytest.raises(CalledOff, match="the agent stops"):
            act()
    assert "keep" == run.doing


def test_what_is_not_there_yet_is_waited_for() -> None:
    """As long as it takes; nothing that counts as false is taken for nothing."""
    step, _ = _step()
    found = iter([None, None, 0])
    assert 0 == step.found(lambda: next(found))


def test_an_answer_is_asked_for_until_it_comes() -> None:
    """``TryAgain`` asks again; what will not be answered ends it."""
    step, _ = _step()
    later, never = TryAgain("wait", "web", "not yet", ""), CalledOff("wait", "web", "stopped", "")
    assert "3.1" == step.answered(_Answers(later, later, "3.1"), _nothing)
    with pytest.raises(CalledOff, match="stopped"):
        step.answered(_Answers(later, never, "3.1"), _nothing)


def test_who_judges_ends_what_no_answer_comes_for() -> None:
    """A hold, for instance: a person has to do something first."""
    step, _ = _step()

    def judge() -> None:
        raise Refused("rejoin", "web", "it is held", "accept it")

    with pytest.raises(Refused, match="it is held"):
        step.answered(_Answers(TryAgain("wait", "web", "not yet", ""), "3.1"), judge)
