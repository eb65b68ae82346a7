"""Lists of steps of one dataset: one at a time whatever its kind, in a thread that ends with the agent and goes on later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.core.clock import SystemClock
from agent.core.errors import CalledOff, HikaeError, Refused, TryAgain
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import ROLLING_BACK
from agent.node.stepping.stepped import SteppedRun, SteppedWork, StepsKind
from agent.status.facts import MovingFacts
from agent.steps.record import Facts, StepsRecord
from agent.steps.runner import Step, StepOutcome

LONG = 30.0


class World:
    """Whose first step waits for the test."""

    def __init__(self, run: SteppedRun) -> None:
        self.run = run
        self.began = threading.Event()
        self.go = threading.Event()
        self.error: Exception | None = None

    def wait(self) -> StepOutcome:
        self.run.doing = "wait"
        self.began.set()
        while not self.go.wait(0.01):
            if self.run.ending.is_set():
                raise CalledOff("wait", "web", "the agent stops")
        if self.error is not None:
            raise self.error
        return StepOutcome("waited")


def _wait(world: World, _record: StepsRecord) -> StepOutcome:
    return world.wait()


class ClockThatActs(SystemClock):
    """Something else happens at the moment when it is looked at."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return super().monotonic()


class Lists:
    """Two kinds of a dataset, and the worlds that were made."""

    def __init__(self, home: Path) -> None:
        self.board = ProblemBoard()
        self.worlds: list[World] = []
        self.ended: list[StepsRecord] = []
        self.allowed = True
        self.told: list[MovingFacts | None] = []
        kinds = (self._kind("first"), self._kind("second"))
        self.clock = ClockThatActs()
        self.stepped = SteppedWork("web", home, self.board, self.clock, lambda: kinds, self._changed)

    def _changed(self) -> None:
        self.told.append(self.stepped.moving)

    def _kind(self, name: str) -> StepsKind[World]:
        def world(_arguments: Facts, run: SteppedRun) -> World:
            self.worlds.append(World(run))
            return self.worlds[-1]

        table = (Step("wait", _wait),)
        file, words = f"{name}.json", f"the {name}"
        return StepsKind(name, file, words, ROLLING_BACK, table, world, lambda: self.allowed, self.ended.append)

    def begun(self, name: str) -> SteppedRun:
        run = self.stepped.begin(name, {"who": "ann"})
        assert self.worlds[-1].began.wait(LONG)
        return run


@contextmanager
def lists(home: Path) -> Iterator[Lists]:
    """Nothing of them runs on after the test."""
    made = Lists(home)
    try:
        yield made
    finally:
        made.stepped.leave()
        made.stepped.join()


def test_it_comes_to_its_end(tmp_path: Path) -> None:
    """Who waits reads the record, and so does who keeps what was done."""
    with lists(tmp_path) as all_of:
        run = all_of.begun("first")
        all_of.worlds[0].go.set()
        assert run.done.wait(LONG)
        all_of.stepped.join()
        assert run.record is not None
        assert (["waited"], [run.record], None) == (
            [one.result for one in run.record.done],
            all_of.ended,
            all_of.stepped.running,
        )


def test_where_it_is_is_told_at_each_step_and_at_its_end(tmp_path: Path) -> None:
    """So that health follows at once: at a step that is none of its first ones the application rests."""
    with lists(tmp_path) as all_of:
        run = all_of.begun("first")
        all_of.worlds[0].go.set()
        assert run.done.wait(LONG)
        all_of.stepped.join()
        assert [MovingFacts("the first", "wait", True), None] == all_of.told


def test_a_second_of_any_kind_is_told_what_is_under_way(tmp_path: Path) -> None:
    """By its name and its step, and it changes nothing."""
    with lists(tmp_path) as all_of:
        all_of.begun("first")
        with pytest.raises(TryAgain, match="the first is under way already, at the step wait"):
            all_of.stepped.begin("second", {})
        assert not (tmp_path / "second.json").exists()


def test_what_begins_while_it_is_tended_is_not_taken_for_what_a_crash_left(tmp_path: Path) -> None:
    """Its record is there before its tender looks: it is not begun a second time beside itself."""
    with lists(tmp_path) as made:
        made.clock.meanwhile = lambda: made.begun("first")
        made.stepped.tick()
        assert 1 == len(made.worlds)
        made.worlds[0].go.set()
        made.stepped.join()
        assert [None] == [record.failed for record in made.ended]


def test_it_ends_with_the_agent_and_goes_on_with_what_was_asked(tmp_path: Path) -> None:
    """The next agent begins where it stood, once this node may."""
    with lists(tmp_path) as before:
        run = before.begun("first")
        before.stepped.leave()
        assert run.done.wait(LONG)
        assert isinstance(run.error, CalledOff)
    with lists(tmp_path) as after:
        after.allowed = False
        after.stepped.tick()
        assert [] == after.worlds
        after.allowed = True
        after.stepped.tick()
        assert after.worlds[0].began.wait(LONG)
        after.worlds[0].go.set()
        after.stepped.join()
        assert [{"who": "ann"}] == [record.arguments for record in after.ended]


def test_a_failure_is_told_and_a_refusal_is_not(tmp_path: Path) -> None:
    """Who typed it reads the refusal; a failure is everybody's, until the next comes to its end."""
    told = []
    with lists(tmp_path) as all_of:
        for error in (Refused("do", "web", "no"), HikaeError("do", "web", "broken", "mend it"), None):
            run = all_of.begun("first")
            all_of.worlds[-1].error = error
            all_of.worlds[-1].go.set()
            assert run.done.wait(LONG)
            all_of.stepped.join()
            told.append([one.remedy for one in all_of.board.listed()[0]])
    assert [[], ["mend it"], []] == told


def test_a_bug_is_told_and_goes_on_as_after_a_crash(tmp_path: Path) -> None:
    """Whoever waits hears of it, status says so, and the record stays."""
    lists = Lists(tmp_path)
    run = lists.begun("first")
    lists.worlds[-1].error = RecursionError("too deep")
    lists.worlds[-1].go.set()
    assert run.done.wait(LONG)
    lists.stepped.join()
    assert run.error is not None
    told = [one.message for one in lists.board.listed()[0]]
    assert ("RecursionError: too deep", True) == (run.error.reason, (tmp_path / "first.json").exists())
    assert ["the last first failed: cannot finish the first (web): RecursionError: too deep"] == told


def test_a_torn_record_is_told_and_ends_nothing_else(tmp_path: Path) -> None:
    """The other kinds of the dataset go on."""
    (tmp_path / "first.json").write_text("{")
    with lists(tmp_path) as all_of:
        all_of.stepped.tick()
        assert [True] == [f"rm {tmp_path / 'first.json'}" in one.remedy for one in all_of.board.listed()[0]]
