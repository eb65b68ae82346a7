"""Since when the primary is here or away."""

from __future__ import annotations

import pytest

from agent.node.measured.visits import Visits

SECOND = 1_000_000_000


@pytest.mark.parametrize(("lasts", "since"), [(SECOND // 2, 5), (2 * SECOND, 100 + 2 * SECOND)])
def test_a_call_that_is_ended_at_once_was_no_visit(lasts: int, since: int) -> None:
    """Tries that the primary gives up leave it away since when it was; a call that has served begins it anew."""
    visits = Visits(5)
    visits.came(100)
    visits.went(100 + lasts)
    assert since == visits.since
