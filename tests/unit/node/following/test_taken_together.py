"""What a standby makes of the primary's answer to a moment of a group: the very commit of it, or why there is none."""

from __future__ import annotations

from typing import Any, cast

import pytest

from agent.core.commit import Position, Quiesced
from agent.core.errors import Refused, TryAgain
from agent.core.ids import NOTHING
from agent.generations.taking import SourceAnswer
from agent.node.following.asked_barriers import AskedBarriers
from agent.node.following.generations.generation_taker import GenerationTaker, TakingLimits
from agent.stream.messages import BarrierReached, Together
from agent.stream.position import PositionBoard
from fakes.store_fakes import number

MOMENT = Together("shop", "m1", ("disk", "web"))
REACHED = BarrierReached(1, number(5), Quiesced.CRASH, 7, ("said",), "", "m1")


def taker_of(durable: int, **limits: float) -> tuple[GenerationTaker, AskedBarriers]:
    """Of a standby that has what came up to a commit."""
    barriers = AskedBarriers("alpha", lambda: None, lambda: True)
    nobody = cast(Any, None)
    board = PositionBoard(Position(number(durable)))
    taker = GenerationTaker(
        "web", barriers, board, nobody, nobody, quiesces=lambda: False, limits=TakingLimits(**limits)
    )
    return taker, barriers


def answered(said: BarrierReached, **limits: float) -> SourceAnswer:
    """What becomes of this answer."""
    taker, barriers = taker_of(5, **limits)
    asked = taker.ask_together(MOMENT)
    barriers.due()
    barriers.reached(said)
    return taker.arrived_together(asked, lambda: None)


def test_the_commit_of_the_moment_is_what_is_kept() -> None:
    """Once it is durable here."""
    assert SourceAnswer(number(5), Quiesced.CRASH, 7, ("said",)) == answered(REACHED)


@pytest.mark.parametrize(
    ("said", "limits", "words"),
    [
        (BarrierReached(1, NOTHING, failed="disk: it is held", moment="m1"), {}, "disk: it is held"),
        (BarrierReached(1, number(5)), {}, "alpha runs a release that knows no moments of a group"),
        (
            BarrierReached(1, number(9), moment="m1"),
            {"arrival": 0.0},
            "what was written before did not come within 0 s",
        ),
    ],
)
def test_what_is_no_moment_is_said(said: BarrierReached, limits: dict[str, float], words: str) -> None:
    """The newest commit does not stand for it, as it does for a generation by itself."""
    with pytest.raises(TryAgain, match=words):
        answered(said, **limits)


def test_a_primary_that_does_not_answer_is_named() -> None:
    """And what was asked of it is forgotten."""
    taker, barriers = taker_of(5, together=0.0)
    asked = taker.ask_together(MOMENT)
    with pytest.raises(TryAgain, match="it did not answer within 0 s"):
        taker.arrived_together(asked, lambda: None)
    assert () == barriers.due()


def test_what_lasts_is_refused_with_the_primarys_remedy() -> None:
    """No later try mends it."""
    said = BarrierReached(
        1, NOTHING, failed="/srv/web cannot be frozen", moment="m1", remedy="take it out", lasting=True
    )
    with pytest.raises(Refused) as told:
        answered(said)
    assert ("/srv/web cannot be frozen", "take it out") == (told.value.reason, told.value.remedy)
