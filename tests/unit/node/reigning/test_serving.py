"""The start hook runs at each confirmed start, on_fenced once for each fencing, and neither keeps anybody waiting."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from agent.config.resolve import resolve_dataset
from agent.config.schema import DatasetEntry
from agent.config.values import Dataset
from agent.core.clock import SystemClock
from agent.core.errors import CalledOff
from agent.core.ids import NOTHING
from agent.core.problem import ProblemBoard
from agent.node.reigning.serving import ReignHooks, ReignNow
from agent.roles.rewound import Rewound
from agent.steps.hooks import HookPlace, HookResult

LONG = 30.0
FENCED = Rewound("beta", 4, NOTHING, NOTHING, 7, fenced=True)


def a_dataset() -> Dataset:
    """As alpha has it."""
    return resolve_dataset(DatasetEntry("web", "/srv/web", "alpha", ("beta",)), "alpha")


class Hooks:
    """The operator's programs; ``ends``: how they end from now on."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, str, int]] = []
        self.ends: str | Exception | None = None

    def __call__(self, dataset: Dataset, name: str, place: HookPlace) -> HookResult:
        assert dataset.name == place.dataset
        self.ran.append((name, place.role, place.epoch))
        if isinstance(self.ends, Exception):
            raise self.ends
        return HookResult(name, self.ends, "", 1, 0.1)


class Bench:
    """A dataset that serves or must not."""

    def __init__(self, home: Path) -> None:
        self.hooks, self.board, self.home = Hooks(), ProblemBoard(), home
        self.again()

    def again(self) -> None:
        """The agent is started anew."""
        self.serving = ReignHooks(a_dataset, "alpha", self.home, self.board, SystemClock(), self.hooks)

    def tick(self, *reigns: ReignNow | None) -> list[tuple[str, str, int]]:
        """What ran since."""
        self.hooks.ran.clear()
        for one in reigns:
            self.serving.tick(one)
            for thread in threading.enumerate():
                if thread.name in ("start-web", "on_fenced-web"):
                    thread.join(LONG)
        return list(self.hooks.ran)

    def codes(self) -> list[str]:
        """What is told."""
        return [str(one.code) for one in self.board.listed()[0]]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A new one."""
    return Bench(tmp_path)


def test_it_starts_once_all_have_confirmed(bench: Bench) -> None:
    """Not before, once in a reign, again in the next and in the next run of the agent."""
    waits, serves, later = ReignNow(1, None, ("beta",)), ReignNow(1, None, ()), ReignNow(2, None, ())
    ran = bench.tick(None, waits, waits, serves, serves, None, serves, later)
    bench.again()
    assert ([("start", "primary", 1), ("start", "primary", 2)], [("start", "primary", 2)]) == (ran, bench.tick(later))


def test_a_fencing_stops_it_once(bench: Bench) -> None:
    """Also over a restart; another fencing is another, and after it the way back starts it again."""
    fenced, again = ReignNow(1, FENCED, ()), ReignNow(1, Rewound("beta", 6, NOTHING, NOTHING, 9, fenced=True), ())
    ran = bench.tick(ReignNow(1, None, ()), fenced, fenced)
    bench.again()
    assert [("start", "primary", 1), ("on_fenced", "fenced", 1)] == ran
    assert [("on_fenced", "fenced", 1), ("start", "primary", 1)] == bench.tick(fenced, again, ReignNow(1, None, ()))


def test_what_a_crash_cut_short_is_run_again(bench: Bench) -> None:
    """The hook did not come to its end, so it is not known to have stopped anything."""
    bench.hooks.ends = CalledOff("run", "web", "the agent stops")
    bench.tick(ReignNow(1, FENCED, ()))
    bench.again()
    bench.hooks.ends = None
    assert [("on_fenced", "fenced", 1)] == bench.tick(ReignNow(1, FENCED, ()))


def test_a_list_of_steps_keeps_no_application_running_that_must_end(bench: Bench) -> None:
    """It begins the application itself; a fencing meanwhile stops that at once, and is known to have."""
    busy, fenced = ReignNow(1, None, (), busy=True), ReignNow(1, FENCED, (), busy=True)
    before = bench.serving.has_stopped(FENCED)
    assert [("on_fenced", "fenced", 1)] == bench.tick(busy, fenced)
    assert (False, True) == (before, bench.serving.has_stopped(FENCED))
    bench.again()
    assert (True, True) == (bench.serving.has_stopped(FENCED), bench.serving.has_stopped(None))


@pytest.mark.parametrize(
    ("reign", "code"), [(ReignNow(1, None, ()), "start-failed"), (ReignNow(1, FENCED, ()), "on-fenced-failed")]
)
def test_a_failure_is_told_until_it_is_run_again(bench: Bench, reign: ReignNow, code: str) -> None:
    """By the command that the problem names."""
    bench.hooks.ends = "it ended with 1"
    bench.tick(reign, reign)
    told = bench.codes()
    bench.hooks.ends = None
    bench.serving.start_again()
    bench.serving.stop_again()
    bench.tick(reign)
    assert ([code], []) == (told, bench.codes())


def test_steps_that_started_it_are_not_followed_by_another_start(bench: Bench) -> None:
    """A promotion runs the hook itself."""
    bench.serving.was_started(3)
    assert [] == bench.tick(ReignNow(3, None, ()))


def test_who_keeps_it_stopped_is_not_started_beside(bench: Bench) -> None:
    """While an operator has it stopped nothing starts it; what a fencing asks for is done all the same."""
    fenced = ReignNow(1, FENCED, ())
    with bench.serving.nothing_started():
        assert [] == bench.tick(ReignNow(1, None, ()))
        assert [("on_fenced", "fenced", 1)] == bench.tick(fenced)
    assert [("start", "primary", 1)] == bench.tick(ReignNow(1, None, ()))
