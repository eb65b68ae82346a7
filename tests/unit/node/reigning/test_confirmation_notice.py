"""That a primary waits to be confirmed is a problem once it lasts, so that its connected peers tell it too."""

from __future__ import annotations

from agent.core.clock import ManualClock
from agent.core.problem import ProblemBoard
from agent.node.reigning.confirmation_notice import ConfirmationNotice


def test_it_is_told_once_it_lasts() -> None:
    """Who is silent and what leads on; it goes when they have confirmed."""
    board, clock = ProblemBoard(), ManualClock()
    awaited = ConfirmationNotice("web", board, clock, grace=5)
    told = []
    for silent, later in ((("beta",), 4.0), (("beta",), 1.5), (("beta",), 0.0), ((), 0.0)):
        awaited.tell(silent)
        told.append([one.remedy.endswith("hikae serve web --alone") for one in board.listed()[0]])
        clock.advance(later)
    assert [[], [], [True], []] == told
