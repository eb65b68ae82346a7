"""How long a promotion would take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.apply.results import ApplyFacts, ApplyProgress
from agent.config.values import Hook, Hooks
from agent.core.ids import CommitNumber
from agent.node.promoting.predicting import LastTime, last_time, predicted
from agent.roles.journal import RoleChange
from agent.status.promotion import Rto

THERE, NEXT = CommitNumber(7), CommitNumber(8)
DONE = ApplyFacts(THERE, target=THERE)
NONE = Hooks()
SOME = Hooks(start=Hook(("true",)))


def change(kind: str, after: str = "primary", **steps: Any) -> RoleChange:
    """A line of the journal with steps of these names and milliseconds."""
    made = tuple({"name": name.replace("_", "-"), "ms": ms, "result": ""} for name, ms in steps.items())
    return RoleChange(1, kind, "standby", after, 2, steps=made)


@pytest.mark.parametrize(
    ("opened", "entries", "apply", "expected"),
    [
        (0.0, 0, DONE, 60),
        (100.0, 0, DONE, 100),
        (100.0, 1_000_000, DONE, 360),
        (100.0, 0, replace(DONE, progress=ApplyProgress(0, 9_000, 0, 9_000)), 100),
        (100.0, 0, ApplyFacts(THERE, target=NEXT, progress=ApplyProgress(1_000, 3_000, 0, 1_000)), 1_100),
        (100.0, 0, ApplyFacts(THERE, target=NEXT, progress=ApplyProgress(0, 10, 0, 100_000_000)), 2_100),
    ],
)
def test_the_first_is_an_opening_of_what_stands_here(
    opened: float, entries: int, apply: ApplyFacts, expected: int
) -> None:
    """It may have been opened when there was nothing yet. What is left to apply is added; what was applied is not."""
    assert Rto(expected, 0) == predicted(opened, None, NONE, entries=entries, apply=apply)


def test_a_later_one_is_as_the_last_one() -> None:
    """The operator's programs too, which nobody knows before they ran."""
    assert Rto(60, None) == predicted(10.0, None, SOME, entries=0, apply=DONE)
    assert Rto(700, 2_500) == predicted(10.0, LastTime(700.0, 2_500.0), SOME, entries=0, apply=DONE)
    assert Rto(700, 0) == predicted(10.0, LastTime(700.0, 2_500.0), NONE, entries=0, apply=DONE)


def test_the_last_time_is_read_off_the_journal() -> None:
    """The newest change that made this node the primary and came to its end, by either command."""
    promote = change("promote", gates=2_000, generation=5, role=100, serve=20, start=900)
    switchover = change("switchover", role=50, serving=10, start=300, after_promote=40)
    others = (change("rejoin", "standby", role=9), change("promote", "standby", role=9), change("began"))
    assert None is last_time([])
    assert LastTime(125.0, 900.0) == last_time([switchover, promote, *others])
    assert LastTime(60.0, 340.0) == last_time([promote, switchover, replace(promote, failed="no room")])
