"""The verify by schedule: begun once when it is due, told when it is overdue, kept with its result."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from agent.apply.results import Difference, VerifyReport
from agent.apply.verifying.queue import VerifyOrder
from agent.config import load
from agent.config.values import Dataset
from agent.core.clock import ManualClock
from agent.core.errors import Refused
from agent.core.problem import ProblemBoard
from agent.node.following.checking.last_verify import Verifies
from agent.node.following.checking.scheduled_verify import AGAIN_SECONDS, ScheduledVerify

WEEK, HOUR = 7 * 86_400.0, 3600.0


class Side:
    """A standby that is open and notes what is begun."""

    def __init__(self) -> None:
        self.is_settled = True
        self.begun: list[VerifyOrder] = []

    def begin_verify(self, order: VerifyOrder) -> Future[VerifyReport]:
        self.begun.append(order)
        return order.outcome


class Rig:
    """A standby of one dataset with a weekly verify."""

    def __init__(self, home: Path, dataset: Dataset) -> None:
        self.home, self.dataset = home, dataset
        self.clock = ManualClock()
        self.slot = threading.Semaphore(1)
        self.start()

    def start(self) -> None:
        """As at a start of the agent."""
        self.side, self.board = Side(), ProblemBoard()
        self.verifies = Verifies("web", self.home, self.board)
        self.verifies.open()
        self.one = ScheduledVerify(self.dataset, self.verifies, self.board, self.clock, self.slot)
        self.one.tick(self.side)

    def after(self, seconds: float) -> int:
        """How many verifies were begun by then, at two ticks."""
        self.clock.advance(seconds)
        self.one.tick(self.side)
        self.one.tick(self.side)
        return len(self.side.begun)

    def problems(self) -> list[str]:
        return [str(one.code) for one in self.board.listed()[0]]


@pytest.fixture
def it(tmp_path: Path) -> Rig:
    """Whose standby is kept from now on."""
    file = tmp_path / "agent.toml"
    file.write_text(
        f'[node]\nname = "beta"\nlisten = "127.0.0.1:1"\nstate_dir = "{tmp_path}"\nadmin_socket = "{tmp_path}/s"\n'
        f'[tls]\nca = "{tmp_path}/ca"\ncert = "{tmp_path}/c"\nkey = "{tmp_path}/k"\n'
        '[[peer]]\nname = "alpha"\naddress = "127.0.0.1:2"\n'
        f'[[dataset]]\nname = "web"\npath = "/srv/web"\nprimary = "alpha"\nstandby = ["beta"]\n'
    )
    return Rig(tmp_path, load(str(file)).datasets[0])


def test_it_begins_once_a_week_with_low_priority(it: Rig) -> None:
    """Not at once where it was never verified, and not twice."""
    assert (0, 1) == (it.after(60.0), it.after(WEEK + HOUR))
    assert [(False, False, True)] == [(one.deep, one.repair, one.low) for one in it.side.begun]
    it.side.begun[0].outcome.set_result(VerifyReport(True, 3, 0))
    assert (1, 1) == (it.after(1.0), it.after(HOUR))
    assert it.verifies.last is not None
    assert (True, False, 0) == (it.verifies.last.equal, it.verifies.last.deep, it.verifies.last.differences)
    assert 2 == it.after(WEEK)


def test_a_missed_one_is_made_up_once_after_a_restart(it: Rig) -> None:
    """The agent was down for a month."""
    it.clock.advance(5 * WEEK)
    it.start()
    assert 1 == it.after(1.0)
    it.side.begun[0].outcome.set_result(VerifyReport(True, 3, 0))
    assert 1 == it.after(HOUR)


def test_never_is_overdue_after_two_intervals_also_over_restarts(it: Rig) -> None:
    """Since it is kept here. A verify, of whoever, ends it."""
    it.side.is_settled = False
    it.after(2 * WEEK - HOUR)
    assert [] == it.problems()
    it.after(WEEK)
    assert ["verify-overdue"] == it.problems()
    it.start()
    assert ["verify-overdue"] == it.problems()
    assert 1 == it.after(1.0)
    it.side.begun[0].outcome.set_result(VerifyReport(True, 3, 0))
    it.after(1.0)
    assert [] == it.problems()


def test_differences_are_told(it: Rig) -> None:
    """As of a verify that was typed."""
    it.after(WEEK + HOUR)
    it.side.begun[0].outcome.set_result(VerifyReport(False, 3, 0, (Difference(b"x", "mode"),), 2))
    it.after(1.0)
    assert it.verifies.last is not None
    assert (3, ["verify-differences"]) == (it.verifies.last.differences, it.problems())


def test_what_did_not_come_to_its_end_is_tried_again(it: Rig) -> None:
    """After a while, and the place is given back meanwhile."""
    it.after(WEEK + HOUR)
    it.side.begun[0].outcome.set_exception(Refused("verify", "", "the agent is stopping"))
    assert (1, 1, 2) == (it.after(1.0), it.after(AGAIN_SECONDS - 10), it.after(20.0))


def test_one_at_a_time_on_a_node(it: Rig) -> None:
    """The next begins when the place is free."""
    it.slot.acquire()
    assert 0 == it.after(WEEK + HOUR)
    it.slot.release()
    assert 1 == it.after(1.0)


def test_another_schedule_is_not_made_up_for(it: Rig) -> None:
    """A daily one begins on the next day."""
    it.after(4 * 86_400.0)
    it.one.configure(replace(it.dataset, verify="0 3 * * *"))
    assert (0, 1) == (it.after(1.0), it.after(86_400.0 + HOUR))


def test_none_is_never_begun_nor_overdue(it: Rig) -> None:
    """As it is written."""
    it.one.configure(replace(it.dataset, verify=None))
    assert (0, []) == (it.after(10 * WEEK), it.problems())
