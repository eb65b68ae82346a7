"""Moments of groups that peers ask for: gathered from the calls of all datasets, and answered by one moment, or by why not."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from typing import cast

import pytest

from agent.core.clock import ManualClock
from agent.core.commit import Quiesced
from agent.core.errors import Refused
from agent.core.ids import NOTHING
from agent.fs.thaw_guard import FreezingDisks
from agent.generations.quiescing import StoodStill
from agent.node.grouped.desk import DeskLimits, GroupDesk
from agent.node.grouped.moment import GroupMoment, GroupSource
from agent.stream.messages import AskBarrier, BarrierReached, Together
from fakes.store_fakes import number

BOTH = Together("shop", "m1", ("disk", "web"))


@dataclass
class FakeSource:
    """A dataset that is captured here."""

    name: str


@dataclass
class FakeMoment:
    """Reaches commit 1 for the first dataset, 2 for the next; ``failure`` is raised instead. It waits for ``gate``."""

    failure: Refused | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    begun: int = 0
    sources: queue.Queue[list[str]] = field(default_factory=queue.Queue)

    def reach(self, wanted: GroupMoment) -> dict[str, StoodStill]:
        names = [one.name for one in wanted.sources]
        self.begun += 1
        self.sources.put(names)
        while not self.gate.wait(0.02):
            wanted.still_wanted()
        if self.failure is not None:
            raise self.failure
        return {
            name: StoodStill(number(at + 10 * (self.begun - 1)), Quiesced.CRASH, 7, ("said",))
            for at, name in enumerate(names, 1)
        }


@dataclass
class Asked:
    """A desk with two datasets of one group, and one of none."""

    moment: FakeMoment = field(default_factory=FakeMoment)
    clock: ManualClock = field(default_factory=ManualClock)
    told: queue.Queue[tuple[str, BarrierReached]] = field(default_factory=queue.Queue)
    limits: DeskLimits = field(default_factory=lambda: DeskLimits(gather=60.0))

    def __post_init__(self) -> None:
        configured = {"shop": ["disk", "web"]}
        freezing = cast(FreezingDisks, None)
        self.desk = GroupDesk(
            lambda group: configured.get(group, []), freezing, self.clock, self.limits, self.moment.reach
        )
        for name in ("disk", "web"):
            self.desk.enter(cast(GroupSource, FakeSource(name)))

    def ask(self, name: str, together: Together = BOTH, id: int = 1, peer: str = "beta") -> None:
        """As a peer does in a dataset's call."""
        self.desk.begin(name, peer, AskBarrier(id, True, together), lambda said: self.told.put((name, said)))

    def ask_all(self, peer: str, moment: str) -> None:
        """As a peer does in the calls of both."""
        for name in BOTH.datasets:
            self.ask(name, Together("shop", moment, BOTH.datasets), peer=peer)

    def answer(self) -> tuple[str, BarrierReached]:
        """The next one that is told."""
        return self.told.get(timeout=60)


def test_each_call_is_answered_by_one_moment() -> None:
    """Once all were asked in, in the order of the configuration, with the moment's own word."""
    asked = Asked()
    asked.moment.gate.set()
    asked.ask("web", id=4)
    asked.ask("disk", id=9)
    answers = dict(asked.answer() for _ in range(2))
    assert ["disk", "web"] == asked.moment.sources.get(timeout=60)
    assert {
        "disk": BarrierReached(9, number(1), Quiesced.CRASH, 7, ("said",), "", "m1"),
        "web": BarrierReached(4, number(2), Quiesced.CRASH, 7, ("said",), "", "m1"),
    } == answers


def test_what_fails_is_told_in_each_call() -> None:
    """With the same reason: there is no moment of any."""
    asked = Asked(FakeMoment(Refused("take", "shop", "disk: it is held", "accept it")))
    asked.moment.gate.set()
    for name in ("web", "disk"):
        asked.ask(name)
    answers = [asked.answer()[1] for _ in range(2)]
    assert [
        BarrierReached(1, NOTHING, failed="disk: it is held", moment="m1", remedy="accept it", lasting=True)
    ] * 2 == answers


def test_one_that_is_never_asked_for_is_named() -> None:
    """The others are not left waiting for it."""
    asked = Asked(limits=DeskLimits(gather=0.01))
    asked.ask("web")
    assert "did not ask in the call of disk" in asked.answer()[1].failed
    assert asked.moment.sources.empty()


@pytest.mark.parametrize(
    ("name", "together", "words"),
    [
        ("web", Together("bank", "m", ("web",)), "web is in no group bank here"),
        ("web", Together("shop", "m", ("web",)), "disk of group shop is not kept by beta as the others are"),
        ("web", Together("shop", "m", ("disk", "mail", "web")), "mail is in group shop on beta alone"),
    ],
)
def test_other_datasets_than_those_of_the_group(name: str, together: Together, words: str) -> None:
    """A peer asks for the groups that are configured here, as they are."""
    asked = Asked()
    asked.ask(name, together)
    assert words == asked.answer()[1].failed


def test_a_dataset_that_is_not_captured_here_is_named() -> None:
    """It has another role, or does not run."""
    asked = Asked()
    asked.desk.leave("disk")
    asked.ask("web")
    assert "disk of group shop is not captured here now" in asked.answer()[1].failed


def test_a_dataset_that_is_being_closed_ends_the_moment() -> None:
    """Whoever closes it waits for no application that rests, and the others are told."""
    asked = Asked()
    for name in ("web", "disk"):
        asked.ask(name)
    asked.moment.sources.get(timeout=60)
    asked.desk.leave("disk")
    answers = [asked.answer()[1] for _ in range(2)]
    assert [("disk is being closed", False)] * 2 == [(one.failed, one.lasting) for one in answers]


def test_one_moment_at_a_time_and_rest_afterwards() -> None:
    """A peer cannot keep the sources standing still; another peer has turns of his own."""
    asked = Asked()
    for name in ("web", "disk"):
        asked.ask(name)
    asked.moment.sources.get(timeout=60)
    second = Together("shop", "m2", BOTH.datasets)
    asked.ask("web", second)
    assert "another moment of group shop is being taken for beta" == asked.answer()[1].failed
    asked.clock.advance(3)
    asked.moment.gate.set()
    for _ in range(2):
        asked.answer()
    asked.ask("web", second)
    assert "beta asked for one a moment ago: again in 30 s" == asked.answer()[1].failed
    asked.clock.advance(30)
    for name in ("web", "disk"):
        asked.ask(name, second)
    assert ["m2", "m2"] == [asked.answer()[1].moment for _ in range(2)]


def test_peers_that_wait_share_the_next_moment() -> None:
    """One goes on at a time; who asked while it did is given the one after it, and none that had begun before."""
    asked = Asked()
    asked.ask_all("beta", "m1")
    asked.moment.sources.get(timeout=60)
    for peer in ("gamma", "delta"):
        asked.ask_all(peer, f"of {peer}")
    asked.moment.gate.set()
    answers = [asked.answer()[1] for _ in range(6)]
    commits = {one.moment: set[int]() for one in answers}
    for one in answers:
        commits[one.moment].add(one.number)
    first, second = {number(1), number(2)}, {number(11), number(12)}
    assert ({"m1": first, "of gamma": second, "of delta": second}, 2) == (commits, asked.moment.begun)
