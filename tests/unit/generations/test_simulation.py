"""What rules keep after years of a schedule: the same as if each of its moments had been looked at."""

from __future__ import annotations

import random
from datetime import UTC, datetime, tzinfo
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from agent.config.values import Generations, Keep
from agent.core.ids import CommitNumber
from agent.generations.retention import RetentionMoment, judged_generations
from agent.generations.simulation import kept_after_years
from agent.store.catalog.generation import Cause, Generation

SECOND = 10**9
DAY = 86_400 * SECOND
YEAR = 365 * DAY
#: Sun 2026-11-22 03:00 UTC.
NOW = 1_795_316_400 * SECOND


def looked_at_each(rules: Generations, end: int, days: int, zone: tzinfo) -> list[tuple[int, tuple[str, ...]]]:
    """All moments of the schedule, each a generation, judged together."""
    begin = datetime.fromtimestamp((end - days * DAY) // SECOND, UTC).astimezone(zone)
    moments = takewhile(
        lambda one: one <= end, (int(one.timestamp()) * SECOND for one in CronSim(rules.schedule, begin))
    )
    promised = (rules.immutable_for or 0) * SECOND
    taken = [
        Generation(f"g{at}", CommitNumber(1), moment, moment, Cause.SCHEDULE, immutable_until=moment + promised)
        for at, moment in enumerate(moments)
    ]
    verdicts = judged_generations(taken, rules.keep, RetentionMoment(end, zone))
    return [(one.generation.taken, one.stays) for one in verdicts if not one.goes]


def some_rules(chance: random.Random) -> Generations:
    """Any of them, for a schedule as dense as one can be, or as sparse."""
    line = chance.choice(
        (
            "* * * * *",
            "*/5 * * * *",
            "*/15 * * * *",
            "7,52 * * * *",
            "0 * * * *",
            "30 1 * * *",
            "15 0,1,3 * * *",
            "0 4 * * 1",
        )
    )
    last, hourly, daily, weekly, monthly, yearly = (chance.choice((0, 0, 1, 3, 40)) for _ in range(6))
    return Generations(line, Keep(last or 1, hourly, daily, weekly, monthly, yearly), chance.choice((0, 0, 5 * 3600)))


def test_it_is_what_looking_at_each_moment_finds(seed: int) -> None:
    """Over weeks in which clocks are set forward or back, for schedules from each minute to each week."""
    chance = random.Random(seed)
    for _ in range(12):
        rules = some_rules(chance)
        zone = ZoneInfo(
            chance.choice(("UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago"))
        )
        end, days = NOW + chance.randrange(365 * 24) * 3600 * SECOND, chance.choice((3, 20, 45))
        found, _ = kept_after_years(rules, end - days * DAY, end, zone)
        assert looked_at_each(rules, end, days, zone) == [(one.taken, one.why) for one in found], (
            rules,
            zone,
            end,
            days,
        )


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (Generations("*/15 * * * *", Keep(monthly=12, yearly=3)), 13),
        (Generations("* * * * *", Keep(last=5, yearly=10)), 5 + 3),
        (Generations("0 3 * * *", Keep(yearly=2)), 2),
        (Generations("0 * * * *", Keep(hourly=24, daily=30, weekly=8, monthly=12)), 24 + 29 + 4 + 8),
        (Generations("none", Keep(hourly=24)), 0),
        (Generations("* * * * *", Keep(last=5)), 5),
        (Generations("*/2 * * * *", Keep(labels=("release",)), 86_400), 720),
    ],
)
def test_what_is_kept_after_three_years(rules: Generations, expected: int) -> None:
    """As many as a calendar says, however dense the schedule is."""
    found, more = kept_after_years(rules, NOW, NOW + 3 * YEAR, UTC)
    assert (expected, False) == (len(found), more)


def test_where_all_would_stay_the_newest_are_told() -> None:
    """No rule lets any go: there is a bound, and that there are more is said."""
    found, more = kept_after_years(Generations("* * * * *", Keep()), NOW, NOW + 3 * YEAR, UTC, most=100)
    assert (100, True, NOW + 3 * YEAR) == (len(found), more, found[-1].taken)
