"""Moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agent.core.errors import UsageError
from agent.generations.labels import check_label
from agent.generations.local_time import iso_text, time_from, time_text

BERLIN = ZoneInfo("Europe/Berlin")
#: A Sunday, 12:30 in Berlin.
NOW = int(datetime(2026, 11, 22, 11, 30, tzinfo=UTC).timestamp()) * 10**9


def utc(ns: int) -> str:
    """What was meant, in UTC."""
    return f"{datetime.fromtimestamp(ns / 1e9, UTC):%Y-%m-%d %H:%M:%S.%f}"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-11-22 02:13", "2026-11-22 01:13:00.000000"),
        ("2026-11-22T02:13:05.5", "2026-11-22 01:13:05.500000"),
        ("2026-07-01 02:13", "2026-07-01 00:13:00.000000"),
        ("2026-11-22", "2026-11-21 23:00:00.000000"),
        ("2026-11-22 02:13Z", "2026-11-22 02:13:00.000000"),
        ("2026-11-22T02:13:00+09:00", "2026-11-21 17:13:00.000000"),
        ("20261122T031500Z", "2026-11-22 03:15:00.000000"),
        ("02:13", "2026-11-22 01:13:00.000000"),
        ("12:30", "2026-11-22 11:30:00.000000"),
        ("12:31", "2026-11-21 11:31:00.000000"),
        ("2026-10-25 02:30+0100", "2026-10-25 01:30:00.000000"),
    ],
)
def test_times_as_they_are_meant(said: str, meant: str) -> None:
    """In local time unless a zone is written; a clock's time alone is the last that it showed."""
    assert meant == utc(time_from(said, NOW, BERLIN))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("2026-13-22 02:13", "it is none"),
        ("2026-11-22 25:13", "it is none"),
        ("2026-10-25 02:30", "twice that day; add which one is meant: +0200 or +0100"),
        ("2026-03-29 02:30", "passed over it that day"),
    ],
)
def test_what_is_no_time_is_said(said: str, reason: str) -> None:
    """A sentence, also for the hour that summer time takes or gives twice."""
    with pytest.raises(UsageError) as raised:
        time_from(said, NOW, BERLIN)
    assert reason in str(raised.value)


def test_what_is_shown_can_be_written_again() -> None:
    """To the microsecond, and it means the same elsewhere."""
    ns = NOW + 1_234_567_000
    assert ("Sun 2026-11-22 12:30:01 CET", ns) == (time_text(ns, BERLIN), time_from(iso_text(ns, BERLIN), NOW))


@pytest.mark.parametrize("label", ["", "before-upgrade", "v1.2", "最終", "a b"])
def test_labels_that_may_be(label: str) -> None:
    """Any words that print."""
    check_label("mark", label)


@pytest.mark.parametrize(
    "label", ["latest", "latest~2", "2026", "20261122T0315", "2026-11", "02:13", " a", "a\n", "x" * 257]
)
def test_labels_that_may_not_be(label: str) -> None:
    """What could be taken for a time or a name, does not print, or is too long."""
    with pytest.raises(UsageError, match="label"):
        check_label("mark", label)
