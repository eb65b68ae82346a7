"""The lag of one peer, and how much waits for it."""

from __future__ import annotations

from agent.core.clock import ManualClock
from agent.core.ids import CommitNumber
from agent.node.lag import LagMeter


def test_lag_is_the_age_of_the_oldest_that_is_not_there() -> None:
    """And afterwards how long the last one took."""
    clock = ManualClock()
    meter = LagMeter(clock)
    assert meter.seconds() is None
    meter.captured(CommitNumber(1), 100)
    clock.advance(2.0)
    meter.captured(CommitNumber(2), 250)
    clock.advance(1.0)
    assert (3.0, 250) == (meter.seconds(), meter.waiting(250))
    meter.durable(CommitNumber(1))
    assert (1.0, 150) == (meter.seconds(), meter.waiting(250))
    meter.durable(CommitNumber(2))
    clock.advance(9.0)
    assert (1.0, 0) == (meter.seconds(), meter.waiting(250))


def test_a_peer_that_is_away_for_long_does_not_seem_nearer() -> None:
    """Commits without end are thinned; the oldest stays, so the lag is its age."""
    clock = ManualClock()
    meter = LagMeter(clock)
    for number in range(1, 20_001):
        meter.captured(CommitNumber(number), number * 10)
        clock.advance(1.0)
    assert (20_000.0, 200_000) == (meter.seconds(), meter.waiting(200_000))
    meter.durable(CommitNumber(20_000))
    assert 0 == meter.waiting(200_000)
