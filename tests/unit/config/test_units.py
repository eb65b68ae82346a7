"""Quantities: what is written is read, and what is shown reads back the same."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import units
from agent.core.clock import LONGEST_DURATION


@given(st.integers(1, LONGEST_DURATION))
def test_durations_read_back(seconds: int) -> None:
    """Every duration is shown as a text that means the same."""
    assert seconds == units.parse_duration(units.format_duration(seconds))


@given(st.text(alphabet="0123456789wdhms .-+", max_size=12))
def test_durations_are_read_or_refused(text: str) -> None:
    """Any text is a duration within bounds, or refused with words; never another exception."""
    with contextlib.suppress(ValueError):
        assert 0 < units.parse_duration(text) <= LONGEST_DURATION


@pytest.mark.parametrize(
    ("text", "seconds"), [("24h", 86_400), ("90m", 5_400), ("1h30m", 5_400), ("7d", 604_800), ("2w1d", 1_296_000)]
)
def test_durations(text: str, seconds: int) -> None:
    """Units add up."""
    assert seconds == units.parse_duration(text)


@pytest.mark.parametrize("text", ["", "24", "h", "1m1h", "-1h", "1.5h", "١h", 24, None, True])
def test_no_durations(text: object) -> None:
    """Numbers without unit, units out of order, signs, and other digits than 0-9 are refused."""
    with pytest.raises(ValueError, match="is no duration"):
        units.parse_duration(text)


@given(st.integers(0, 1000).map(lambda tenths: tenths / 1000))
def test_percentages_read_back(share: float) -> None:
    """Every share is shown as a text that means the same."""
    assert share == pytest.approx(units.parse_percentage(units.format_percentage(share)))


@given(st.integers(1, 10**15))
def test_sizes_and_rates_read_back(size: int) -> None:
    """Every size and rate is shown exactly."""
    assert size == units.parse_size(units.format_size(size))
    assert size == units.parse_rate(units.format_rate(size))


@given(st.tuples(st.integers(0, 1439), st.integers(0, 1439)).filter(lambda hours: hours[0] != hours[1]))
def test_hours_read_back(hours: tuple[int, int]) -> None:
    """Every span is shown as a text that means the same."""
    assert hours == units.parse_hours(units.format_hours(hours))


@pytest.mark.parametrize("text", ["a:1", "192.0.2.1:7440", "[::1]:65535", "beta.example:7440"])
def test_addresses(text: str) -> None:
    """Names, IPv4 and bracketed IPv6 with a port are addresses."""
    assert text == units.parse_address(text)


@pytest.mark.parametrize(
    "text", ["", ":1", "a", "a:", "a:0", "a:x", "::1:7440", "a b:1", "http://a:1", "a:65536", 7440]
)
def test_no_addresses(text: object) -> None:
    """Everything else is refused."""
    with pytest.raises(ValueError, match=r"address|valid port"):
        units.parse_address(text)


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("0.01%", 0.0001), ("100%", 1.0)])
def test_a_part_of_all_comes_to_all_in_the_end(text: str, share: float) -> None:
    """A ten-thousandth is the least."""
    assert share == pytest.approx(units.parse_part(text))


@pytest.mark.parametrize("text", ["0%", "0.009%", "101%", "5", 5])
def test_what_never_comes_to_all_is_no_part(text: object) -> None:
    """Nor is what is no percentage."""
    with pytest.raises(ValueError, match="%"):
        units.parse_part(text)


@pytest.mark.parametrize(("text", "seconds"), [("50ms", 0.05), ("5s", 5.0), ("1500ms", 1.5), ("2m", 120.0)])
def test_spans_have_milliseconds(text: str, seconds: float) -> None:
    """One number and a unit; shown again as it was written."""
    span = units.parse_span(text, 1, 10**9)
    assert (seconds, text) == (span, units.format_span(span))


@pytest.mark.parametrize("text", ["0", "5", "1h30m", "-5s", "ms", "11s", "0ms", 5, None])
def test_no_spans(text: object) -> None:
    """Everything else, and what is less or more than it may be."""
    with pytest.raises(ValueError, match=r"duration"):
        units.parse_span(text, 1, 10_000)
