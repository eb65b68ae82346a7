"""What a device's pump is asked, and when it rests."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable

import pytest

from agent.capture.device.requests import DeviceRequests
from agent.capture.tickets import Ticket
from fakes.eventually import eventually


def test_who_waits_keeps_nobody_busy_while_it_is_held() -> None:
    """A device that is gone is looked for now and then, and at once when an operator says something."""
    requests = DeviceRequests()
    requests.ask(Ticket("test"))
    requests.ask_for_walk(Ticket("test"))
    rested = threading.Event()

    def rest() -> None:
        requests.rest(60.0, held=True)
        rested.set()

    thread = threading.Thread(target=rest)
    thread.start()
    early = rested.wait(0.1)
    requests.accept_root()
    thread.join(30.0)
    assert (False, True, True) == (early, rested.is_set(), requests.take_accepted())


def test_who_waits_is_served_at_once() -> None:
    """Otherwise the pump does not rest."""
    requests = DeviceRequests()
    ticket, reader = Ticket("test"), Ticket("test")
    requests.ask(ticket)
    requests.ask_for_chunks(reader, [7])
    requests.rest(60.0)
    assert ([ticket, reader], {7}) == (requests.take_tickets(), requests.take_dirty())


def test_who_waits_for_chunks_may_be_served_alone() -> None:
    """A moment is waited for by the others still."""
    requests = DeviceRequests()
    ticket, reader = Ticket("test"), Ticket("test")
    requests.ask(ticket)
    requests.ask_for_chunks(reader, [7])
    assert ([reader], {7}) == requests.take_readers()
    assert ([ticket], set()) == (requests.take_tickets(), requests.take_dirty())


@pytest.mark.parametrize("ask", [DeviceRequests.ask, DeviceRequests.ask_for_walk])
def test_who_asks_while_others_are_taken_waits_for_the_next(ask: Callable[[DeviceRequests, Ticket], None]) -> None:
    """The commit in hand is of a moment from before: it does not answer for what was written since."""
    requests, ticket = DeviceRequests(), Ticket("test")
    asking = threading.Thread(target=ask, args=(requests, ticket))
    with requests._condition:
        asking.start()
        eventually(lambda: _stands_in(asking, "_enlist"))
        taken = [*requests.take_tickets(), *requests.take_walks()]
    asking.join(30.0)
    assert ([], [ticket]) == (taken, [*requests.take_tickets(), *requests.take_walks()])


def _stands_in(thread: threading.Thread, function: str) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and function in {one.name for one in traceback.extract_stack(frame)}
