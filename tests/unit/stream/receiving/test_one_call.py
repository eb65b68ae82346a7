"""Who has a call, and how many."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from agent.core.errors import NotPermitted, TryAgain
from agent.stream.receiving.one_call import PeerSeats


def test_a_peer_takes_nobody_elses() -> None:
    """One that has all of its own is told so; another is served; a call that ended leaves its seat."""
    seats = PeerSeats({"alpha": 1, "gamma": 2})
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(seats.taken("gamma"))
        with pytest.raises(TryAgain), seats.taken("gamma"):
            pass
        stack.enter_context(seats.taken("alpha"))
    with seats.taken("gamma"), seats.taken("gamma"):
        assert 3 == seats.total


def test_who_is_no_peer_has_none() -> None:
    """However good its certificate."""
    with pytest.raises(NotPermitted, match="no peer of this node"), PeerSeats({"alpha": 1}).taken("mallory"):
        pass


def test_seats_change_while_they_are_taken() -> None:
    """A call that is open counts; who is a peer no more gets none, and its calls end without harm."""
    seats = PeerSeats({"alpha": 1, "gamma": 1})
    with seats.taken("alpha"), seats.taken("gamma"):
        seats.allow({"alpha": 2, "delta": 1})
        with seats.taken("alpha"), seats.taken("delta"):
            assert 3 == seats.total
        with pytest.raises(NotPermitted), seats.taken("gamma"):
            pass
