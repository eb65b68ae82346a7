"""A dataset that fails is closed, and opened again after a pause that grows."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import Damaged, HikaeError, TryAgain
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import NOT_RUNNING
from agent.node.reopening import LONGEST_PAUSE, Tended


class FakeSide:
    """Counts its ticks; fails when told."""

    def __init__(self) -> None:
        self.ticks = 0
        self.closed = False
        self.failure: HikaeError | None = None

    def tick(self) -> None:
        self.ticks += 1
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        self.closed = True


class Bench:
    """A tended side with everything around it."""

    def __init__(self) -> None:
        self.board = ProblemBoard()
        self.clock = ManualClock()
        self.opened: list[FakeSide] = []
        self.refusals: list[HikaeError | OSError] = []
        self.ended: list[HikaeError] = []
        self.tended = Tended[FakeSide]("web", self._open, self.board, self.clock, ended=self.ended.append)

    def _open(self, failed: Callable[[HikaeError], None]) -> FakeSide:
        if self.refusals:
            raise self.refusals.pop(0)
        self.opened.append(FakeSide())
        return self.opened[-1]

    def message(self) -> str:
        """What the board says."""
        problems, _ = self.board.listed()
        return " ".join(f"{one.code}: {one.message}; {one.remedy}" for one in problems)


def test_an_open_side_is_ticked() -> None:
    """The first tick opens it, the others are its own."""
    bench = Bench()
    for _ in range(3):
        bench.tended.tick()
    assert ([2], False) == ([side.ticks for side in bench.opened], bench.board.has(NOT_RUNNING))


def test_a_failure_from_any_thread_opens_it_again() -> None:
    """Closed at the next tick, told with its reason, opened after a pause, and the problem is gone."""
    bench = Bench()
    bench.tended.tick()
    bench.tended.failed(TryAgain("read", "web", "the disk is full"))
    bench.tended.failed(TryAgain("read", "web", "a second one does not matter"))
    bench.tended.tick()
    assert (True, None) == (bench.opened[0].closed, bench.tended.side)
    assert "the disk is full" in bench.message()
    why = bench.tended.why
    assert why is not None
    assert "the disk is full" == why.reason
    bench.clock.advance(1.1)
    bench.tended.tick()
    assert (bench.opened[1], "", None) == (bench.tended.side, bench.message(), bench.tended.why)


def test_whoever_looks_after_damage_is_told_before_it_is_opened_again() -> None:
    """A failure in a tick, at opening, or from outside: each is told once."""
    bench = Bench()
    bench.refusals = [Damaged("open", "catalog.db", "damaged", "move it away")]
    bench.tended.tick()
    assert "then it goes on by itself" in bench.message()
    assert 1 == bench.message().count("move it away")
    bench.clock.advance(1.1)
    bench.tended.tick()
    bench.opened[0].failure = TryAgain("write", "web", "full")
    bench.tended.tick()
    assert ["damaged", "full"] == [error.reason for error in bench.ended]


def test_an_error_of_the_system_is_a_problem_too() -> None:
    """Named with its path; the pause grows to half a minute and no further."""
    bench = Bench()
    bench.refusals = [OSError(28, "No space left on device", "/state/vault") for _ in range(8)]
    for _ in range(8):
        bench.tended.tick()
        assert "No space left on device: /state/vault" in bench.message()
        bench.clock.advance(LONGEST_PAUSE + 0.1)
    bench.tended.tick()
    assert (1, "") == (len(bench.opened), bench.message())


@pytest.mark.parametrize("refused", [False, True])
def test_who_needs_it_waits_until_it_was_tried(refused: bool) -> None:
    """Also where that failed, and again while it is reopened; who asks later does not wait."""
    bench = Bench()
    bench.refusals = [TryAgain("open", "web", "not now", "")] if refused else []
    asking = threading.Thread(target=bench.tended.wait_for_a_try, args=(60.0,))
    asking.start()
    assert asking.is_alive()
    bench.tended.tick()
    asking.join(30)
    assert (False, refused) == (asking.is_alive(), bench.tended.side is None)
    bench.tended.wait_for_a_try(60.0)
