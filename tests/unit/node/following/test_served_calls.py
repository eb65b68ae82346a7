"""The calls that a standby serves, and that none outlives its stores."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import TryAgain
from agent.node.following.served_calls import ServedCalls
from agent.stream.receiving.receiver import Receiver


def a_call() -> Receiver:
    """Told apart by what it is only."""
    return cast(Receiver, object())


def test_the_primary_is_connected_while_any_call_is_served() -> None:
    """A call that is dialled before the one before has ended keeps it so; a visit is from the first to the last."""
    clock = ManualClock()
    calls, first, second = ServedCalls("web", clock), a_call(), a_call()
    began = clock.now_ns()
    seen = [calls.connected]
    for step, call in ((calls.began, first), (calls.began, second), (calls.ended, first)):
        clock.advance(1)
        step(call)
        seen.append(calls.connected)
    assert ([False, True, True, True], began + 10**9) == (seen, calls.visits.since)
    clock.advance(1)
    calls.ended(second)
    assert (False, clock.now_ns()) == (calls.connected, calls.visits.since)


def test_after_the_end_no_call_begins() -> None:
    """Who is served is waited for; whoever comes then is told to dial again."""
    calls, call = ServedCalls("web", ManualClock()), a_call()
    calls.began(call)
    ending = threading.Thread(target=calls.end_all)
    ending.start()
    calls.ended(call)
    ending.join(60)
    assert not ending.is_alive()
    with pytest.raises(TryAgain, match="opened anew"):
        calls.began(a_call())
    with pytest.raises(TryAgain, match="opened anew"):
        calls.require_open()
