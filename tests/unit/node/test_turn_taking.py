"""Turns: the receiver comes first, and nobody waits for somebody who does not move."""

from __future__ import annotations

import threading

from agent.node.turn_taking import STEPS, Turns


def test_the_applier_makes_way_within_a_few_steps() -> None:
    """A receiver that asks while the applier works gets its turn, and the applier goes on after it."""
    turns, order = Turns(), list[str]()
    turns.step("first")
    asked = threading.Event()

    def receive() -> None:
        asked.set()
        with turns.receiving():
            order.append("received")

    receiver = threading.Thread(target=receive)
    receiver.start()
    asked.wait()
    while receiver.is_alive():
        turns.step("more")
    order.append("applied")
    receiver.join()
    turns.rest()
    assert ["received", "applied"] == order


def test_nobody_waits_for_an_applier_that_is_stuck() -> None:
    """A receiver goes on without its turn; the applier's own comes back whole."""
    turns = Turns()
    turns.step("stuck in a system call")
    with turns.receiving():
        pass
    turns.rest()
    for _ in range(3 * STEPS):
        turns.step("more")
    turns.rest()


def test_resting_twice_is_harmless() -> None:
    """Whoever holds no turn gives none back."""
    turns = Turns()
    turns.rest()
    with turns.receiving():
        turns.rest()
