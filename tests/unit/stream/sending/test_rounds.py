"""When a peer goes by the spool, and when it is behind."""

from __future__ import annotations

import pytest

from agent.stream.sending.rounds import SMALL, STEADY, Rounds

MIB = 1 << 20
QUICK = 0.1


def test_rounds_that_shrink_go_on() -> None:
    """A file or two changed under the first round, less under the second: no spool."""
    rounds = Rounds()
    rounds.direct(100 * MIB, 10 * MIB, QUICK)
    rounds.direct(10 * MIB, MIB, QUICK)
    assert (False, False) == (rounds.by_spool, rounds.behind)
    rounds.direct(MIB, 0, QUICK)
    assert (False, False) == (rounds.by_spool, rounds.behind)


def test_rounds_that_fail_alike_go_by_the_spool() -> None:
    """The second that lacks as much as the first shows that the link is slower than the files."""
    rounds = Rounds()
    rounds.direct(20 * MIB, 10 * MIB, QUICK)
    rounds.direct(20 * MIB, 9 * MIB, QUICK)
    assert (True, True) == (rounds.by_spool, rounds.behind)


def test_rounds_that_fail_for_ever_go_by_the_spool() -> None:
    """Even if each lacks a little less."""
    rounds = Rounds()
    for unread in (100 * MIB, 40 * MIB, 10 * MIB):
        rounds.direct(MIB, unread, QUICK)
    assert rounds.by_spool


def test_sealed_rounds_that_do_not_shrink_are_behind() -> None:
    """Nothing fails, but as much comes again: no spool is needed to know that the peer is outrun."""
    rounds = Rounds()
    rounds.direct(64 * MIB, 0, QUICK)
    rounds.direct(60 * MIB, 0, QUICK)
    assert (False, True) == (rounds.by_spool, rounds.behind)


def test_sealed_rounds_that_shrink_are_not() -> None:
    """A quick peer after a long absence, and one that only ever has little to do."""
    shrinking, little = Rounds(), Rounds()
    for moved in (1000 * MIB, 100 * MIB, 10 * MIB):
        shrinking.direct(moved, 0, QUICK)
        little.direct(MIB, 0, QUICK)
    assert (False, False) == (shrinking.behind, little.behind)


@pytest.mark.parametrize(
    ("took", "behind"),
    [
        ((4.2, 0.1, 4.2, 0.1), True),
        ((0.1, 4.2, 0.1, 4.2), True),
        ((900.0, 90.0, 9.0, 3.0), False),
        ((0.9, 0.9, 0.9, 0.9), False),
        ((4.2, 0.1, 4.2), False),
    ],
)
def test_time_shows_it_whatever_moves(took: tuple[float, ...], behind: bool) -> None:
    """A file of 4 MiB that is new each time the slow link has brought it: little at once, half of it failed, and no end."""
    rounds = Rounds()
    for number, seconds in enumerate(took):
        rounds.direct(4 * MIB, 3 * (number % 2), seconds)
    assert behind == rounds.behind


def test_the_spool_is_used_as_long_as_much_moves() -> None:
    """A large sealed round is followed by another; a small one by the source; one that did not fit, by the source too."""
    rounds = Rounds()
    rounds.spooled(SMALL + 1, sealed=True)
    assert rounds.by_spool
    rounds.spooled(SMALL, sealed=True)
    assert (False, True) == (rounds.by_spool, rounds.behind)
    rounds.spooled(100 * MIB, sealed=False)
    assert (False, True) == (rounds.by_spool, rounds.behind)


def test_nothing_left() -> None:
    """It goes on live, and still counts as behind until it has streamed for a while."""
    rounds = Rounds()
    rounds.spooled(SMALL + 1, sealed=True)
    rounds.nothing_left()
    rounds.streams(100.0)
    rounds.lags(100.0 + STEADY)
    assert (False, True) == (rounds.by_spool, rounds.behind)
    rounds.streams(200.0)
    rounds.lags(201.0 + STEADY)
    assert not rounds.behind
