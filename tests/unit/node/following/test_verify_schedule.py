"""When a standby is verified by schedule, and since when that is overdue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agent.node.following.checking.verify_schedule import SPREAD, VerifySchedule

WEEKLY, DAILY, WORKDAYS, EACH_MINUTE = "30 4 * * 0", "0 3 * * *", "0 3 * * 1-5", "* * * * *"


def ns(text: str) -> int:
    """Local time as UTC ns."""
    return int(at(text).timestamp() * 1e9)


def at(text: str) -> datetime:
    """A local time."""
    return datetime.fromisoformat(text).astimezone()


def local(moment: int | None) -> datetime:
    assert moment is not None
    return datetime.fromtimestamp(moment / 1e9, UTC).astimezone()


def test_it_is_due_soon_after_the_moment_that_is_written() -> None:
    """A week from Sunday to Sunday; the offset is the dataset's own, and always the same."""
    due = local(VerifySchedule(WEEKLY, "web").due(ns("2026-11-22T05:00")))
    assert at("2026-11-29T04:30") <= due < at("2026-11-29T04:30") + SPREAD
    assert due == local(VerifySchedule(WEEKLY, "web").due(ns("2026-11-25T05:00")))


def test_what_was_missed_is_due_once() -> None:
    """However many moments have passed: the first of them."""
    due = local(VerifySchedule(DAILY, "web").due(ns("2026-11-01T05:00")))
    assert due.date() == at("2026-11-02T00:00").date()


def test_datasets_of_one_hour_do_not_begin_together() -> None:
    """A hundred of them are spread over the half hour."""
    since = ns("2026-11-22T05:00")
    due = {VerifySchedule(DAILY, f"d{number}").due(since) for number in range(100)}
    seconds = sorted(local(one).timestamp() for one in due)
    assert (100, True) == (len(due), seconds[-1] - seconds[0] > 20 * 60)


@pytest.mark.parametrize("line", [EACH_MINUTE, "*/5 * * * *"])
def test_the_spread_is_a_part_of_a_short_interval(line: str) -> None:
    """Never so long that one would be left out."""
    since = ns("2026-11-22T05:00:30")
    assert local(VerifySchedule(line, "web").due(since)) - local(since) < timedelta(minutes=5, seconds=75)


@pytest.mark.parametrize(
    ("line", "last", "overdue"),
    [
        (WEEKLY, "2026-11-22T05:00", "2026-12-06T05:00"),
        (DAILY, "2026-11-22T03:10", "2026-11-24T03:10"),
        (EACH_MINUTE, "2026-11-22T03:10:20", "2026-11-22T03:12:20"),
    ],
)
def test_it_is_overdue_after_two_intervals(line: str, last: str, overdue: str) -> None:
    """Since the last one ended, and not before the second has had its time to begin."""
    late = local(VerifySchedule(line, "web").overdue(ns(last))) - at(overdue)
    assert timedelta(0) <= late < SPREAD


def test_a_weekend_is_no_delay() -> None:
    """By workdays: after Friday's it is Tuesday's that is the second."""
    overdue = local(VerifySchedule(WORKDAYS, "web").overdue(ns("2026-11-20T03:10")))
    assert at("2026-11-24T03:00") <= overdue < at("2026-11-24T03:00") + SPREAD


@pytest.mark.parametrize(
    ("line", "shares", "within_days", "days"),
    [
        (DAILY, 20, 1, 2 * 20),
        (DAILY, 20, 30, 2 * 31),
        (WEEKLY, 1, 1, 2 * 8),
        (DAILY, 10_000, 30, 2 * 10_000),
        (EACH_MINUTE, 20, 7, 2 * 7),
    ],
)
def test_a_lap_is_overdue_after_twice_what_was_promised(line: str, shares: int, within_days: int, days: int) -> None:
    """So many shares by plan; or what is passed over and one share more, where that is longer. To a day or two."""
    since = ns("2026-11-22T04:31")
    overdue = VerifySchedule(line, "web").lap_overdue(since, shares, within_days * 86_400 * 10**9)
    assert overdue is not None
    assert abs(overdue - since - days * 86_400 * 10**9) < 2 * 86_400 * 10**9
