"""What a device's pump is asked, and when it rests."""

from __future__ import annotations

import threading

from agent.capture.device.requests import DeviceRequests
from agent.capture.tickets import Ticket


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
    requests.accept()
    thread.join(30.0)
    assert (False, True, True) == (early, rested.is_set(), requests.take_accepted())


def test_who_waits_is_served_at_once() -> None:
    """Otherwise the pump does not rest."""
    requests = DeviceRequests()
    ticket = Ticket("test")
    requests.ask(ticket, [7])
    requests.rest(60.0)
    assert ([ticket], {7}) == (requests.take_tickets(), requests.take_dirty())
