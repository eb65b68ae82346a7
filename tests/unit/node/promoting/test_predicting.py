"""How long a promotion would take."""

from __future__ import annotations

import pytest

from agent.apply.results import ApplyFacts, ApplyProgress
from agent.core.ids import CommitNumber
from agent.node.promoting.predicting import predicted_ms

THERE, NEXT = CommitNumber(7), CommitNumber(8)


@pytest.mark.parametrize(
    ("opened", "apply", "expected"),
    [
        (0.0, ApplyFacts(THERE, target=THERE), 40),
        (100.0, ApplyFacts(THERE, target=THERE), 170),
        (100.0, ApplyFacts(THERE, target=THERE, progress=ApplyProgress(0, 9_000, 0, 9_000)), 170),
        (100.0, ApplyFacts(THERE, target=NEXT, progress=ApplyProgress(1_000, 3_000, 0, 1_000)), 1_170),
        (100.0, ApplyFacts(THERE, target=NEXT, progress=ApplyProgress(0, 10, 0, 100_000_000)), 2_170),
    ],
)
def test_it_is_an_opening_and_what_is_left_to_apply(opened: float, apply: ApplyFacts, expected: int) -> None:
    """Once nothing is left, what an earlier converge did does not count."""
    assert expected == predicted_ms(opened, apply)
