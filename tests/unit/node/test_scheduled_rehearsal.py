"""A rehearsal by schedule: when it is begun, not begun again, and told as overdue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.config import load
from agent.config.values import Promote, Rehearse
from agent.core.clock import ManualClock
from agent.core.errors import TryAgain
from agent.core.ids import CommitNumber
from agent.core.problem import ProblemBoard
from agent.core.standing import Rehearsed
from agent.node.rehearsing.last_rehearsal import LastRehearsal
from agent.node.rehearsing.scheduled_rehearsal import AGAIN_SECONDS, ScheduledRehearsal

HOUR = 3600.0
FILE = """
[node]
name = "beta"
[tls]
ca = "/p/ca.crt"
cert = "/p/beta.crt"
key = "/p/beta.key"
[[peer]]
name = "alpha"
address = "alpha.example:7440"
[[dataset]]
name = "web"
kind = "tree"
path = "/srv/web"
primary = "alpha"
standby = ["beta"]
"""


class Rig:
    """A schedule of each hour, and how often one was begun."""

    def __init__(self, home: Path) -> None:
        config = home / "agent.toml"
        config.write_text(FILE)
        self.clock, self.board = ManualClock(), ProblemBoard()
        self.dataset = replace(load(str(config)).datasets[0], rehearse=Rehearse(schedule="0 * * * *"))
        self.last = LastRehearsal("web", home, self.board)
        self.begun = 0
        self.refuses = False
        self.kept_since = self.clock.now_ns()
        self._scheduled = ScheduledRehearsal(self.last, self.board, self.clock, self._begin)

    def _begin(self) -> None:
        self.begun += 1
        if self.refuses:
            raise TryAgain("begin a rehearsal", "web", "a rollback is under way")

    def after(self, seconds: float, *, ready: bool = True) -> int:
        """How often one was begun by then, at two ticks."""
        self.clock.advance(seconds)
        for _ in range(2):
            self._scheduled.tick(self.dataset, self.kept_since, ready=ready)
        return self.begun

    def ended(self, *, ok: bool) -> None:
        """One came to its end now."""
        self.last.keep(Rehearsed(self.clock.now_ns(), ok, CommitNumber(1), 5, 0 if ok else 1, "", "" if ok else "no"))

    def codes(self) -> list[str]:
        """The problems that are told."""
        return sorted(str(one.code) for one in self.board.listed()[0])


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """One."""
    return Rig(tmp_path)


def test_it_is_begun_when_it_is_due(rig: Rig) -> None:
    """Not before, once, and again an interval after it ended."""
    assert 0 == rig.after(1)
    assert 1 == rig.after(2 * HOUR)
    rig.ended(ok=True)
    assert 1 == rig.after(1)
    assert 2 == rig.after(2 * HOUR)


def test_it_waits_until_it_may_be_tried(rig: Rig) -> None:
    """What was due while the standby was not ready is made up for once."""
    assert 0 == rig.after(5 * HOUR, ready=False)
    assert 1 == rig.after(1)


def test_what_could_not_be_begun_is_tried_again(rig: Rig) -> None:
    """Not at each tick, but after a while."""
    rig.refuses = True
    assert 1 == rig.after(2 * HOUR)
    assert 1 == rig.after(1)
    assert 2 == rig.after(AGAIN_SECONDS)


def test_overdue(rig: Rig) -> None:
    """It is told after two intervals without one, until one comes to its end; a probe that says no is another problem."""
    rig.refuses = True
    rig.after(HOUR / 2)
    assert [] == rig.codes()
    rig.after(5 * HOUR)
    assert ["rehearsal-overdue"] == rig.codes()
    rig.ended(ok=False)
    rig.after(1)
    assert ["probe-failed"] == rig.codes()


def test_without_a_schedule(rig: Rig) -> None:
    """Nothing is begun, and nothing is overdue."""
    rig.after(9 * HOUR, ready=False)
    rig.dataset = replace(rig.dataset, rehearse=Rehearse())
    assert (0, []) == (rig.after(9 * HOUR), rig.codes())


def test_too_old_for_a_promotion(rig: Rig) -> None:
    """Told without a schedule too, from when the standby is kept; one that comes to its end ends it; nothing is begun for it."""
    rig.dataset = replace(rig.dataset, rehearse=Rehearse(), promote=Promote(rehearsed_within=3 * 3600))
    rig.after(2 * HOUR)
    assert [] == rig.codes()
    assert 0 == rig.after(2 * HOUR)
    assert ["rehearsal-overdue"] == rig.codes()
    assert "was never rehearsed" in rig.board.listed()[0][0].message
    assert "a promotion asks for one within 3 h 0 min" in rig.board.listed()[0][0].message
    rig.ended(ok=True)
    rig.after(1)
    assert [] == rig.codes()
    rig.after(4 * HOUR)
    assert ["rehearsal-overdue"] == rig.codes()


def test_the_last_one_is_kept(rig: Rig, tmp_path: Path) -> None:
    """It is there after a restart, with the problem that its probe said no; a torn file says nothing."""
    rig.ended(ok=False)
    board = ProblemBoard()
    assert rig.last.last == LastRehearsal("web", tmp_path, board).last
    assert ["probe-failed"] == [str(one.code) for one in board.listed()[0]]
    (tmp_path / "rehearsed.json").write_text("{")
    assert None is LastRehearsal("web", tmp_path, ProblemBoard()).last
