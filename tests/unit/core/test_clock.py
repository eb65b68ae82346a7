"""Clocks: time is passed in, and moves as it is told."""

from __future__ import annotations

from agent.core.clock import ManualClock, SystemClock


def test_a_manual_clock_moves_both_ways_of_telling_time() -> None:
    """Wall clock and seconds advance together, and only when told."""
    clock = ManualClock(5_000)
    assert (5_000, 0.0) == (clock.now_ns(), clock.monotonic())
    clock.advance(1.5)
    assert (1_500_005_000, 1.5) == (clock.now_ns(), clock.monotonic())


def test_seconds_of_the_machine_never_fall() -> None:
    """Whatever the wall clock does."""
    clock = SystemClock()
    seconds = [clock.monotonic() for _ in range(100)]
    assert sorted(seconds) == seconds
    assert clock.now_ns() > 0
