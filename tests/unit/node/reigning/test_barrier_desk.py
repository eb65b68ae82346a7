"""Barriers that peers ask a primary for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.core.clock import ManualClock
from agent.core.commit import Quiesced
from agent.core.errors import Refused
from agent.core.ids import NOTHING
from agent.generations.quiescing import StoodStill
from agent.node.reigning.barrier_desk import EVERY, QUIESCE_EVERY, BarrierDesk
from agent.stream.messages import AskBarrier, BarrierReached
from fakes.store_fakes import number


@dataclass
class FakeQuiescing:
    """Reaches commit after commit, once it may: ``gate``."""

    failure: Refused | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    asked: list[bool] = field(default_factory=list)
    entered: threading.Event = field(default_factory=threading.Event)

    def reach(self, quiesce: bool, still_wanted: Callable[[], None]) -> StoodStill:
        self.asked.append(quiesce)
        self.entered.set()
        while not self.gate.wait(0.05):
            still_wanted()
        if self.failure is not None:
            raise self.failure
        return StoodStill(number(len(self.asked)), Quiesced.CRASH if quiesce else Quiesced.FILE, 7, ("hook: done",))


def test_a_peer_is_told_what_was_reached() -> None:
    """By the id that it asked with."""
    quiescing, told = FakeQuiescing(), queue.Queue[BarrierReached]()
    desk = BarrierDesk("web", quiescing, ManualClock())
    quiescing.gate.set()
    desk.begin("beta", AskBarrier(4, True), told.put)
    assert BarrierReached(4, number(1), Quiesced.CRASH, 7, ("hook: done",)) == told.get(timeout=60)
    desk.close()


def test_those_that_wait_share_the_next_and_an_older_question_gives_way() -> None:
    """One at a time, whoever asks and however often."""
    clock, quiescing, told = ManualClock(), FakeQuiescing(), queue.Queue[BarrierReached]()
    desk = BarrierDesk("web", quiescing, clock)
    desk.begin("beta", AskBarrier(1, False), told.put)
    assert quiescing.entered.wait(60)
    for peer, id in (("gamma", 8), ("beta", 2), ("beta", 3)):
        clock.advance(EVERY)
        desk.begin(peer, AskBarrier(id, False), told.put)
    quiescing.gate.set()
    answers = [told.get(timeout=60) for _ in range(3)]
    desk.close()
    assert ([1, 3, 8], 2) == (sorted(one.id for one in answers), len(quiescing.asked))


def test_what_fails_is_told_and_too_often_too() -> None:
    """A source that cannot stand still, and a peer that would have it do nothing else."""
    clock, told = ManualClock(), queue.Queue[BarrierReached]()
    quiescing = FakeQuiescing(Refused("freeze", "/srv/web", "it is frozen already", "thaw it"))
    desk = BarrierDesk("web", quiescing, clock)
    quiescing.gate.set()
    desk.begin("beta", AskBarrier(1, True), told.put)
    first = told.get(timeout=60)
    desk.begin("beta", AskBarrier(2, True), told.put)
    second = told.get(timeout=60)
    clock.advance(QUIESCE_EVERY)
    desk.begin("beta", AskBarrier(3, True), told.put)
    assert [NOTHING, NOTHING, 3] == [first.number, second.number, told.get(timeout=60).id]
    assert (True, "beta asked less than 60 s ago") == ("it is frozen already" in first.failed, second.failed)
    desk.close()


def test_it_closes_while_the_source_stands_still() -> None:
    """What goes on is told that it is not wanted; nobody is told anything more."""
    clock, quiescing, told = ManualClock(), FakeQuiescing(), queue.Queue[BarrierReached]()
    desk = BarrierDesk("web", quiescing, clock)
    desk.begin("beta", AskBarrier(1, False), told.put)
    assert quiescing.entered.wait(60)
    desk.close()
    clock.advance(EVERY)
    desk.begin("beta", AskBarrier(2, False), told.put)
    assert told.empty()
