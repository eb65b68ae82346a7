"""The lag of one peer, and how much waits for it."""

from __future__ import annotations

from agent.core.clock import ManualClock
from agent.core.ids import CommitNumber
from agent.node.measured.lag import LagMeter


def test_lag_is_the_age_of_the_oldest_that_is_not_there() -> None:
    """Then what the last one took, for a moment; and nought once nothing has been missing for longer."""
    clock = ManualClock()
    meter = LagMeter(clock)
    assert meter.seconds() is None
    meter.captured(CommitNumber(1), 100)
    clock.advance(2.0)
    meter.captured(CommitNumber(2), 250)
    clock.advance(1.0)
    assert (3.0, 250) == (meter.seconds(), meter.waiting(250))
    meter.reached(CommitNumber(1))
    assert (1.0, 150) == (meter.seconds(), meter.waiting(250))
    meter.reached(CommitNumber(2))
    assert (0.0, 0) == (meter.seconds(), meter.waiting(250))
    meter.captured(CommitNumber(3), 250)
    clock.advance(0.25)
    meter.reached(CommitNumber(3))
    assert 0.25 == meter.seconds()
    clock.advance(1.0)
    assert 0.0 == meter.seconds()


def test_a_peer_that_is_away_for_long_does_not_seem_nearer() -> None:
    """Commits without end are thinned; the oldest stays, so the lag is its age."""
    clock = ManualClock()
    meter = LagMeter(clock)
    for number in range(1, 20_001):
        meter.captured(CommitNumber(number), number * 10)
        clock.advance(1.0)
    assert (20_000.0, 200_000) == (meter.seconds(), meter.waiting(200_000))
    meter.reached(CommitNumber(20_000))
    assert 0 == meter.waiting(200_000)


def test_what_was_there_before_the_start_is_told_by_the_peer() -> None:
    """Until it says where it stands nothing is known but the newest; then the age of the first that it lacks, or nought."""
    clock = ManualClock()
    meter = LagMeter(clock)
    meter.found(CommitNumber(9), 5.0)
    assert (5.0, True, clock.now_ns() - 5 * 10**9) == (meter.seconds(), meter.unsure, meter.as_of(0.0))
    meter.begins(CommitNumber(4), 70.0)
    assert (70.0, False, clock.now_ns() - 70 * 10**9) == (meter.seconds(), meter.unsure, meter.as_of(0.0))
    meter.reached(CommitNumber(9))
    assert (0.0, clock.now_ns()) == (meter.seconds(), meter.as_of(0.0))
    other = LagMeter(clock)
    assert (None, None) == (other.seconds(), other.as_of(0.0))
    other.found(CommitNumber(9), 5.0)
    other.begins(CommitNumber(9), None)
    assert (0.0, clock.now_ns()) == (other.seconds(), other.as_of(0.0))


def test_a_standby_that_was_put_back_lacks_what_it_had() -> None:
    """It is not up to date until it says so again."""
    clock = ManualClock()
    meter = LagMeter(clock)
    meter.captured(CommitNumber(7))
    meter.reached(CommitNumber(7))
    assert (True, clock.now_ns()) == (meter.had_more_than(CommitNumber(3)), meter.as_of(0.0))
    meter.begins(CommitNumber(3), 40.0)
    assert (False, clock.now_ns() - 40 * 10**9) == (meter.had_more_than(CommitNumber(3)), meter.as_of(0.0))
    meter.reached(CommitNumber(7))
    assert clock.now_ns() == meter.as_of(0.0)


def test_what_waited_for_the_link_is_as_old_as_that() -> None:
    """A commit that holds what waited counts from then on, also among others that did not."""
    clock = ManualClock()
    meter = LagMeter(clock)
    clock.advance(20.0)
    meter.captured(CommitNumber(1), 10)
    clock.advance(1.0)
    meter.captured(CommitNumber(2), 20, since=6.0)
    assert (15.0, clock.now_ns() - 15 * 10**9) == (meter.seconds(), meter.as_of(0.0))
    meter.reached(CommitNumber(1))
    assert 15.0 == meter.seconds()
    meter.captured(CommitNumber(3), 30, since=99.0)
    meter.reached(CommitNumber(2))
    clock.advance(0.5)
    assert 0.5 == meter.seconds()


def test_what_no_commit_has_yet_is_not_there_either() -> None:
    """Everything is there up to when the oldest change came that still waits here."""
    clock = ManualClock()
    meter = LagMeter(clock)
    assert meter.as_of(9.0) is None
    meter.captured(CommitNumber(1))
    clock.advance(2.0)
    assert clock.now_ns() - 2 * 10**9 == meter.as_of(1.0)
    assert clock.now_ns() - 9 * 10**9 == meter.as_of(9.0)
    meter.reached(CommitNumber(1))
    assert clock.now_ns() - 9 * 10**9 == meter.as_of(9.0)
