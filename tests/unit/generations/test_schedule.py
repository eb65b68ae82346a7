"""When something that a cron line names is due."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agent.generations.schedule import SPREAD, due_since, spread_ns

BERLIN = ZoneInfo("Europe/Berlin")


def ns(text: str) -> int:
    """A moment in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("line", "done", "now", "due"),
    [
        ("0 * * * *", "2026-11-22 03:00", "2026-11-22 03:59:59", None),
        ("0 * * * *", "2026-11-22 03:00", "2026-11-22 04:00", "2026-11-22 04:00"),
        ("0 * * * *", "2026-11-22 03:00", "2026-11-24 04:30", "2026-11-24 04:00"),
        ("0 3 * * *", "2026-11-22 02:00", "2026-11-22 09:00", None),
        ("0 3 * * *", "2026-11-22 02:00", "2026-11-23 02:00", "2026-11-23 02:00"),
        ("0 * * * *", "2099-01-01 00:00", "2026-11-22 04:00", None),
        ("0 0 29 2 *", "2026-11-22 00:00", "2027-11-22 00:00", None),
        ("30 2 * * *", "2026-03-28 12:00", "2026-03-29 12:00", "2026-03-29 01:00"),
    ],
)
def test_what_is_due(line: str, done: str, now: str, due: str | None) -> None:
    """In local time: once, however many were missed; at its time on the day whose clocks pass over it too."""
    assert (ns(due) if due else None) == due_since(line, ns(done), ns(now), BERLIN)


def test_datasets_are_spread_and_each_keeps_its_place() -> None:
    """Within half a minute."""
    places = {name: spread_ns(name) for name in ("web", "mail", "shop")}
    assert (3, places) == (len(set(places.values())), {name: spread_ns(name) for name in places})
    assert all(0 <= place < SPREAD * 10**9 for place in places.values())
