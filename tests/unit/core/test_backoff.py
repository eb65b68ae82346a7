"""Waits grow to a bound and begin anew after a success."""

from __future__ import annotations

from agent.core.backoff import Backoff


def test_waits_double_up_to_the_longest() -> None:
    """The first is the first, also after a success."""
    backoff = Backoff(1.0, 30.0)
    assert [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] == [backoff.next_wait() for _ in range(7)]
    before = backoff.began
    backoff.succeeded()
    assert (True, False, 1.0) == (before, backoff.began, backoff.next_wait())


def test_one_wait_may_have_a_bound_of_its_own() -> None:
    """It bounds the wait that follows, and only that."""
    backoff = Backoff(4.0, 10.0)
    assert [4.0, 5.0, 10.0] == [backoff.next_wait(5.0), backoff.next_wait(), backoff.next_wait()]
