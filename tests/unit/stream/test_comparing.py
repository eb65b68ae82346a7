"""Two nodes of one call compare their clocks."""

from __future__ import annotations

from agent.core.clock import ManualClock
from agent.core.skew import ClockReading, Skew
from agent.stream.comparing import READ_SECONDS, Comparing

DAY = 86_400 * 10**9


class Heard:
    """What came out of comparing."""

    def __init__(self) -> None:
        self.skews: list[Skew] = []

    def compared(self, peer: str, skew: Skew) -> None:
        """See ``core.skew.Comparisons``."""
        self.skews.append(skew)


def test_both_sides_find_the_difference() -> None:
    """After three words each knows it, to within what the way took."""
    ours, theirs = ManualClock(), ManualClock(ManualClock().now_ns() + DAY)
    at_ours, at_theirs = Heard(), Heard()
    alpha, beta = Comparing("beta", ours, at_ours), Comparing("alpha", theirs, at_theirs)
    for _ in range(2):
        for speaks, hears in ((alpha, beta), (beta, alpha)):
            said = speaks.due()
            assert said is not None
            for clock in (ours, theirs):
                clock.advance(0.25)
            hears.heard(said)
        for clock in (ours, theirs):
            clock.advance(READ_SECONDS)
    assert [(True, True), (True, True)] == [
        (one.least <= DAY <= one.most, one.most - one.least < 10**9) for one in at_ours.skews
    ]
    assert [-DAY] == [max(one.least, min(one.most, -DAY)) for one in at_theirs.skews]


def test_the_clock_is_read_out_now_and_then() -> None:
    """At first, and then every few seconds however much else is said."""
    clock = ManualClock()
    one = Comparing("beta", clock, None)
    assert (True, True, False, None) == (one.waits, one.due() is not None, one.waits, one.due())
    clock.advance(READ_SECONDS)
    assert (True, True) == (one.waits, one.due() is not None)


def test_an_echo_of_another_call_is_not_believed() -> None:
    """What comes back must have been said in this call."""
    clock, heard = ManualClock(), Heard()
    clock.advance(100)
    one = Comparing("beta", clock, heard)
    for echo in (0, 1, 1 << 63):
        one.heard(ClockReading(clock.now_ns() + DAY, 1, echo))
    assert [] == heard.skews
