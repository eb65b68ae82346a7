"""How fast other nodes may take the numbers of epochs."""

from __future__ import annotations

from agent.core.clock import ManualClock
from agent.core.ids import EPOCH_STEP, Epoch
from agent.stream.receiving.epoch_pace import EpochPace, EpochPaceLimits


def _epoch(number: int) -> Epoch:
    return Epoch(number, "alpha", b"t" * 16)


def test_the_largest_step_is_believed_once_and_promotions_after_it() -> None:
    """As the limits are: what an honest dataset needs on its worst day is there."""
    pace = EpochPace(ManualClock())
    assert pace.takes(_epoch(EPOCH_STEP + 1), 1)
    assert [True] * 64 == [pace.takes(_epoch(number + 1), number) for number in range(EPOCH_STEP + 1, EPOCH_STEP + 65)]
    assert not pace.takes(_epoch(EPOCH_STEP + 66), EPOCH_STEP + 65)


def test_what_is_known_costs_nothing() -> None:
    """The same epoch again, or one of before."""
    pace = EpochPace(ManualClock(), EpochPaceLimits(burst=1))
    assert [True] * 9 == [pace.takes(_epoch(3), known) for known in (2, *[3] * 4, *[9] * 4)]
