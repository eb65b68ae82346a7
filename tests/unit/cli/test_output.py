"""Durations, and progress where there is a terminal."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli.demo.steps import percentile
from agent.cli.output import Duration, Estimate, commit_text, progress_bar, progress_shown
from agent.core.ids import local_commit
from agent.status.published import Json, number_json


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2h", 7200),
        ("90s", 90),
        ("1h30m", 5400),
        ("1.5d", 129600),
        ("250ms", 0.25),
        ("3", 3),
        ("5min", 300),
        ("1 h", 3600),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """What people write."""
    assert seconds == Duration().convert(text, None, None)


@pytest.mark.parametrize("text", ["0", "0s", "0h0m"])
def test_no_time_at_all(text: str) -> None:
    """Refused where nothing would come of it."""
    assert 0 == Duration().convert(text, None, None)
    with pytest.raises(click.BadParameter, match="is no time at all; write it like 2h"):
        Duration(some=True).convert(text, None, None)


def test_a_bare_number_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    """Hours may have been meant; where seconds are the rule nothing is said."""
    typed = ((True, "2"), (True, "2m"), (False, "2"))
    assert [2, 120, 2] == [Duration(asks_unit=asks).convert(text, None, None) for asks, text in typed]
    assert ("", "2 is taken as 2 s; a unit says otherwise: 2m, 2h\n") == capfd.readouterr()


@pytest.mark.parametrize("text", ["", "h", "-1", "2x", "1h-2m", "inf", "nan", "1h!"])
def test_what_is_no_duration(text: str) -> None:
    """Refused with an example."""
    with pytest.raises(click.BadParameter, match="write it like 2h"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize("text", ["100000000000h", "1e30", "36601d", "9" * 300 + "w"])
def test_a_duration_that_no_calendar_holds(text: str) -> None:
    """Refused, with the longest there is."""
    with pytest.raises(click.BadParameter, match="is too long; the longest is 36600d"):
        Duration().convert(text, None, None)


def test_progress_without_a_terminal_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is drawn into a file."""
    with progress_shown("waiting") as progress:
        progress({"done_bytes": 1})
    assert ("", "") == tuple(capfd.readouterr())


def test_progress_on_a_terminal_takes_anything(capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever is known is shown; unknown totals are no error; escapes stay text."""
    with progress_bar("wai\x1bting") as progress:
        for value in (
            {},
            {"phase": "wa\x1b[2Jlk", "done_entries": 3},
            {"done_bytes": 5, "total_bytes": 9, "eta_seconds": 2.0},
        ):
            progress(value)
    out, err = capfd.readouterr()
    assert ("", False) == (out, "\x1b[2Jlk" in err)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles(values: list[float]) -> None:
    """At least the share is not above it, and it is one of the values."""
    for share in (50, 99):
        found = percentile(values, share)
        assert found in values
        assert 100 * sum(value <= found for value in values) >= share * len(values)


def test_how_long_it_takes_is_estimated_by_the_pace_so_far() -> None:
    """Of each phase anew; what the agent says itself counts, and what is not known is none."""
    estimate = Estimate()

    def walk(done: int, total: int | None = 100, phase: str = "walk") -> dict[str, object]:
        return {"phase": phase, "done_entries": done, "total_entries": total}

    assert (None, None) == (estimate.of(walk(10), 0.0), estimate.of(walk(12), 0.5))
    assert 40.0 == estimate.of(walk(20), 5.0)
    assert (None, None) == (estimate.of(walk(5, phase="verify"), 6.0), estimate.of(walk(50, None, "verify"), 9.0))
    assert 3.0 == estimate.of({**walk(6, phase="verify"), "eta_seconds": 3}, 20.0)
    assert None is estimate.of({}, 21.0)


@pytest.mark.parametrize(
    ("commit", "expected"),
    [
        ({"epoch": 3, "seq": 1842}, "3.1842"),
        (number_json(local_commit(1, 2)), "1.2 (local)"),
        (None, "0"),
    ],
)
def test_a_commit_as_people_write_it(commit: Json | None, expected: str) -> None:
    """One of this node alone too, as a rejoin makes it, which stands in the journal of roles."""
    assert expected == commit_text({"commit": commit})
