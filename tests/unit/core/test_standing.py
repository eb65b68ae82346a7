"""How a dataset stands: what is news to a peer, and what is only progress."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.hold import Hold
from agent.core.standing import FIRST_SYNC, Pause, Standing, SyncFacts, Trouble, Verified

STANDING = Standing("streaming", sync=SyncFacts(FIRST_SYNC, 5, 100))


def test_progress_is_no_news() -> None:
    """Bytes that came need not be told at once."""
    assert not replace(STANDING, sync=SyncFacts(FIRST_SYNC, 50, 100, eta_seconds=3.0)).differs(STANDING)


@pytest.mark.parametrize(
    "other",
    [
        replace(STANDING, state="held"),
        replace(STANDING, hold=Hold("held", "the source became empty")),
        replace(STANDING, pauses=(Pause("send", None),)),
        replace(STANDING, errors=1),
        replace(STANDING, warnings=1),
        replace(STANDING, worst=Trouble("behind", "it is behind", "wait")),
        replace(STANDING, verified=Verified(1, equal=True, deep=False, differences=0)),
        replace(STANDING, sync=SyncFacts("apply")),
        replace(STANDING, sync=None),
    ],
)
def test_anything_else_is_news(other: Standing) -> None:
    """State, holds, pauses, problems, the last verify, and another phase."""
    assert other.differs(STANDING)


def test_the_first_word_is_news() -> None:
    """Nothing was told before."""
    assert STANDING.differs(None)
