"""Barriers that a node asks the primary for, and how the wait for them ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from agent.core.errors import TryAgain
from agent.core.ids import NOTHING
from agent.node.following.asked_barriers import AskedBarriers
from agent.stream.messages import AskBarrier, BarrierReached, Together
from fakes.store_fakes import number


def go_on() -> None:
    """It is still wanted."""


def asked(barriers: AskedBarriers, woken: threading.Event) -> tuple[threading.Thread, list[object]]:
    """One that waits in a thread of its own; what came of it."""
    came: list[object] = []

    def run() -> None:
        try:
            came.append(barriers.ask(False, 60.0, go_on))
        except TryAgain as error:
            came.append(error.reason)

    thread = threading.Thread(target=run)
    thread.start()
    assert woken.wait(60)
    woken.clear()
    return thread, came


def on_a_call(act: Callable[[AskedBarriers, tuple[AskBarrier, ...]], None]) -> list[object]:
    """What comes of one that is asked in a call, in which this happens."""
    woken = threading.Event()
    barriers = AskedBarriers("alpha", woken.set, lambda: True)
    thread, came = asked(barriers, woken)
    act(barriers, barriers.due())
    thread.join(60)
    assert () == barriers.due()
    return came


def test_the_answer_is_what_the_primary_says() -> None:
    """It is asked once."""
    answer = BarrierReached(1, number(5), stood_still=3)

    def act(barriers: AskedBarriers, due: tuple[AskBarrier, ...]) -> None:
        assert ((AskBarrier(1, False),), ()) == (due, barriers.due())
        barriers.reached(answer)

    assert [answer] == on_a_call(act)


def test_a_call_that_ends_ends_the_wait() -> None:
    """Nobody will answer any more."""
    assert ["the connection was lost"] == on_a_call(lambda barriers, _: barriers.call_ended())


def test_an_answer_to_a_later_question_covers_those_before() -> None:
    """And none that was not asked yet."""
    woken = threading.Event()
    barriers = AskedBarriers("alpha", woken.set, lambda: True)
    first, first_came = asked(barriers, woken)
    assert 1 == len(barriers.due())
    second, second_came = asked(barriers, woken)
    barriers.reached(BarrierReached(1, number(4)))
    first.join(60)
    assert ([BarrierReached(1, number(4))], []) == (first_came, second_came)
    assert 1 == len(barriers.due())
    barriers.reached(BarrierReached(2, number(5)))
    second.join(60)
    assert [BarrierReached(2, number(5))] == second_came


def test_who_is_not_there_is_not_waited_for() -> None:
    """Nor who says nothing for so long."""
    with pytest.raises(TryAgain, match="it is not connected"):
        AskedBarriers("alpha", go_on, lambda: False).ask(False, 60.0, go_on)
    with pytest.raises(TryAgain, match="did not answer within 0 s"):
        AskedBarriers("alpha", go_on, lambda: True).ask(False, 0.0, go_on)
    assert NOTHING == BarrierReached(1, NOTHING).number


def test_a_moment_of_a_group_has_an_answer_of_its_own() -> None:
    """What a later question is told does not cover it."""
    barriers = AskedBarriers("alpha", go_on, lambda: True)
    moment = barriers.begin(True, Together("shop", "m", ("disk", "web")))
    plain = barriers.begin(False)
    barriers.due()
    barriers.reached(BarrierReached(2, number(4)))
    assert (None, BarrierReached(2, number(4))) == (moment.answer, plain.answer)
    barriers.reached(BarrierReached(1, number(5), moment="m"))
    assert BarrierReached(1, number(5), moment="m") == barriers.answer_to(moment, 60.0, go_on)
