"""How figures are shown."""

from __future__ import annotations

import pytest

from agent.status.figures import clock_text, rate_text, size_text, span_text, stamp, stamp_ns


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (150 << 20, "150 MiB"),
        (5 << 40, "5.0 TiB"),
    ],
)
def test_sizes(count: int, expected: str) -> None:
    """Sizes have a unit that leaves few digits."""
    assert expected == size_text(count)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0213, "21 ms"),
        (4.21, "4.2 s"),
        (42.4, "42 s"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
        (90000, "1 day 1 h"),
    ],
)
def test_spans(seconds: float, expected: str) -> None:
    """Durations have the two units that matter."""
    assert expected == span_text(seconds)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.0, "0 B/s"),
        (950.0, "950 B/s"),
        (1.1e6, "1.1 MB/s"),
        (2.5e4, "25 kB/s"),
        (3.2e11, "320 GB/s"),
        (80_000_000, "80 MB/s"),
        (1 << 20, "1.05 MB/s"),
        (500_000, "500 kB/s"),
        (1_000_000_000, "1 GB/s"),
        (9, "9 B/s"),
    ],
)
def test_rates(rate: float, expected: str) -> None:
    """Rates are said as they are configured."""
    assert expected == rate_text(rate)


def test_stamps_and_back() -> None:
    """A stamp keeps microseconds; never is null."""
    assert "2026-11-22T03:15:00.123456Z" == stamp(1_795_317_300_123_456_789)
    assert 1_795_317_300_123_456_000 == stamp_ns("2026-11-22T03:15:00.123456Z")
    assert [None, None] == [stamp(0), stamp(None)]


def test_clock_is_short_today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Today's times need no date, older ones do."""
    now = "2026-11-22T12:00:00.000000Z"
    found = [clock_text(text, now)[:-5] for text in (now, "2026-11-10T12:00:00Z", "2025-11-22T12:00:00Z")]
    assert ["", "Nov 10 ", "2025-11-22 "] == found
