"""Rules of keep that make no difference."""

from __future__ import annotations

import pytest

from agent.config.shadowing import shadowed_rules
from agent.config.values import Generations, Keep

HOURLY, DAILY = "0 * * * *", "0 3 * * *"


@pytest.mark.parametrize(
    ("schedule", "keep", "expected"),
    [
        (HOURLY, Keep(hourly=24, daily=30, weekly=8, monthly=12), []),
        (HOURLY, Keep(daily=30, weekly=4), [("weekly", "daily")]),
        (HOURLY, Keep(hourly=24, daily=1), [("daily", "hourly")]),
        (HOURLY, Keep(weekly=60, monthly=12), []),
        (HOURLY, Keep(monthly=24, yearly=1), [("yearly", "monthly")]),
        (DAILY, Keep(hourly=24, daily=30), [("hourly", "daily")]),
        (DAILY, Keep(hourly=30, daily=30), [("daily", "hourly")]),
        (DAILY, Keep(last=5, daily=3), []),
        ("none", Keep(daily=30, weekly=4), []),
    ],
)
def test_a_rule_that_another_keeps_all_of(schedule: str, keep: Keep, expected: list[tuple[str, str]]) -> None:
    """By the schedule; of two of the same the later one; a month's last day is no week's."""
    assert expected == list(shadowed_rules(Generations(schedule, keep)))
