"""Who is told to be wrong, when our clock or a peer's is set."""

from __future__ import annotations

from agent.core.problem import ProblemBoard
from agent.core.problem_codes import CLOCK
from agent.core.skew import Skew
from agent.node.clocks import COMPARED_WITHIN, Clocks
from fakes.clocks import SetClock

DAY = 86_400


def skew(seconds: int) -> Skew:
    """A comparison that is exact to a second."""
    return Skew(seconds * 10**9 - 10**9, seconds * 10**9 + 10**9)


def said(clocks: Clocks) -> str:
    """The problem's sentence; "" for none."""
    board = ProblemBoard()
    clocks.tick(board)
    listed = board.listed()[0]
    assert all(one.code == CLOCK for one in listed)
    return listed[0].message if listed else ""


def test_each_peer_that_is_apart_is_named_until_it_is_not() -> None:
    """Ahead or behind; who is right again is said no more, without a word of the others."""
    clocks = Clocks(SetClock())
    clocks.compared("gamma", skew(-3600))
    clocks.compared("beta", skew(DAY))
    assert (
        "the clock of beta is about 1 day 0 h ahead of this node's; the clock of gamma is about 1 h 0 min behind this node's"
        == said(clocks)
    )
    clocks.compared("beta", skew(0))
    assert "the clock of gamma is about 1 h 0 min behind this node's" == said(clocks)
    clocks.compared("gamma", skew(1))
    assert "" == said(clocks)


def test_our_own_clock_is_put_right() -> None:
    """The problem ends at once, whether or not a peer is there to say so."""
    clock = SetClock()
    clocks = Clocks(clock)
    clocks.compared("beta", skew(DAY))
    clock.set_by(DAY)
    assert "" == said(clocks)


def test_our_own_clock_is_set_while_nobody_is_there() -> None:
    """It is said once no peer has spoken for or against it for a while, and ends when it is set back."""
    clock = SetClock()
    clocks = Clocks(clock)
    clock.set_by(-DAY)
    assert "" == said(clocks)
    clock.advance(COMPARED_WITHIN)
    assert "the clock of this node was set back by 1 day 0 h, and no peer was reached since" == said(clocks)
    clock.set_by(DAY)
    clock.advance(COMPARED_WITHIN)
    assert "" == said(clocks)


def test_a_peer_speaks_for_our_clock() -> None:
    """A machine that slept, or whose clock was put right: nothing is said beside a peer that shows the same time."""
    clock = SetClock()
    clocks = Clocks(clock)
    clocks.compared("beta", skew(0))
    clock.set_by(DAY)
    assert "" == said(clocks)
    clocks.compared("beta", skew(0))
    clock.advance(COMPARED_WITHIN)
    assert "" == said(clocks)


def test_a_peer_speaks_against_our_clock() -> None:
    """Our clock was set wrong: it is the comparison that says so."""
    clock = SetClock()
    clocks = Clocks(clock)
    clocks.compared("beta", skew(0))
    clock.set_by(DAY)
    clocks.compared("beta", skew(-DAY))
    clock.advance(COMPARED_WITHIN)
    assert "the clock of beta is about 1 day 0 h behind this node's" == said(clocks)


def test_a_clock_that_is_slewed_is_no_step() -> None:
    """What NTP does to a clock all day adds up to nothing."""
    clock = SetClock()
    clocks = Clocks(clock)
    for _ in range(200):
        clock.set_by(0.5)
        clock.advance(1)
        assert "" == said(clocks)
