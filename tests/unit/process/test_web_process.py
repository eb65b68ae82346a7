"""The second process as the agent keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import Exit
from agent.core.problem import ProblemBoard
from agent.process.web_process import WebProcess, WebProcessLimits

LIMITS = WebProcessLimits(first=1.0, most=4.0, good=10.0)


@dataclass(slots=True)
class _Child:
    code: int | None = None

    def poll(self) -> int | None:
        """See ``Child``."""
        return self.code


@dataclass(slots=True)
class _Spawner:
    """``fails``: the program cannot be executed."""

    fails: bool = False
    children: list[_Child] = field(default_factory=list)
    words: list[Sequence[str]] = field(default_factory=list)

    def __call__(self, words: Sequence[str]) -> _Child:
        self.words.append(words)
        if self.fails:
            raise FileNotFoundError(2, "No such file or directory")
        self.children.append(_Child())
        return self.children[-1]


def _begun(clock: ManualClock, spawner: _Spawner) -> tuple[WebProcess, ProblemBoard]:
    board = ProblemBoard()
    process = WebProcess("/etc/hikae/agent.toml", board, clock, spawner, LIMITS)
    process.start()
    return process, board


def test_one_that_ends_is_begun_again_ever_later() -> None:
    """After 1, 2, 4, 4 seconds; the problem says why, and that it is tried again."""
    clock, spawner = ManualClock(), _Spawner()
    process, board = _begun(clock, spawner)
    gaps = []
    for _ in range(4):
        spawner.children[-1].code = Exit.REFUSED
        process.tick()
        begun, waited = len(spawner.children), 0
        while len(spawner.children) == begun:
            clock.advance(1.0)
            waited += 1
            process.tick()
        gaps.append(waited)
    (problem,), _ = board.listed()
    assert ([1, 2, 4, 4], True) == (gaps, "an address of [health] or [console] is taken" in problem.message)


def test_one_that_runs_well_clears_the_problem() -> None:
    """And the next end is the first again."""
    clock, spawner = ManualClock(), _Spawner()
    process, board = _begun(clock, spawner)
    spawner.children[-1].code = -9
    process.tick()
    assert 1 == len(board.listed()[0])
    clock.advance(1.0)
    process.tick()
    clock.advance(10.0)
    process.tick()
    assert () == tuple(board.listed()[0])


def test_a_program_that_cannot_be_executed_is_a_problem() -> None:
    """The agent itself goes on."""
    process, board = _begun(ManualClock(), _Spawner(fails=True))
    process.tick()
    assert "it cannot be started: No such file or directory" in board.listed()[0][0].message


@pytest.mark.parametrize(
    ("code", "words"),
    [(Exit.CONFIG, "cannot be used"), (Exit.NOT_PERMITTED, "may not become"), (-9, "signal 9"), (1, "ended with 1")],
)
def test_each_end_has_its_words(code: int, words: str) -> None:
    """What an operator reads in status."""
    clock, spawner = ManualClock(), _Spawner()
    process, board = _begun(clock, spawner)
    spawner.children[-1].code = code
    process.tick()
    assert words in board.listed()[0][0].message


def test_it_is_told_its_configuration_and_whose_it_is() -> None:
    """So that it can be had by hand, and ends when nobody is there any more."""
    spawner = _Spawner()
    _begun(ManualClock(), spawner)
    assert ["--config", "/etc/hikae/agent.toml", "web", "--beside"] == list(spawner.words[0][3:7])
