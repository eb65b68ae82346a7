"""Rates and when a peer will have caught up."""

from __future__ import annotations

import pytest

from agent.core.standing import NEVER
from agent.stream.sending.forecast import WINDOW, Flow, Meter, forecast_seconds

MB = 1_000_000


def test_a_steady_rate() -> None:
    """A count each second."""
    meter = Meter()
    for second in range(10):
        meter.count(float(second), second * MB)
    assert MB == meter.rate()


def test_no_rate_before_two_values() -> None:
    """Not known is none."""
    meter = Meter()
    assert 0.0 == meter.rate()
    meter.count(1.0, MB)
    assert 0.0 == meter.rate()


def test_only_the_window_counts() -> None:
    """What was long ago says nothing; how often it is told does not matter."""
    meter = Meter()
    meter.count(0.0, 0)
    meter.count(1.0, 1000 * MB)
    for tenth in range(10, int(WINDOW) * 20):
        meter.count(tenth / 10, 1000 * MB)
    assert 0.0 == meter.rate()


def test_values_are_bounded() -> None:
    """A thousand counts within a second are one."""
    meter = Meter()
    for number in range(1000):
        meter.count(number / 1000, number)
    assert (999 / 0.999) == pytest.approx(meter.rate())
    assert 2 == len(meter._points)


def test_a_new_call_begins_anew() -> None:
    """Its count starts from nothing; the rate is not negative."""
    meter = Meter()
    meter.count(0.0, 10 * MB)
    meter.count(2.0, 12 * MB)
    meter.count(4.0, 0)
    assert 0.0 == meter.rate()
    meter.count(6.0, 4 * MB)
    assert 2 * MB == meter.rate()


@pytest.mark.parametrize(
    ("behind", "gains", "changes", "expected"),
    [
        (0, 0.0, Flow(9.0 * MB, 9.0 * MB), 0.0),
        (100 * MB, 2.0 * MB, Flow(0.0, 0.0), 50.0),
        (100 * MB, 2.0 * MB, Flow(1.0 * MB, 1.0 * MB), 100.0),
        (100 * MB, 1.0 * MB, Flow(4.0 * MB, 4.0 * MB), NEVER),
        (100 * MB, 1.0 * MB, Flow(1.0 * MB, 1.0 * MB), NEVER),
        (100 * MB, 1.0 * MB, Flow(0.99 * MB, 0.99 * MB), NEVER),
        (100 * MB, 1.0 * MB, Flow(4.0 * MB, 0.5 * MB), None),
        (100 * MB, 0.0, Flow(0.0, 0.0), None),
        (100 * MB, 0.0, Flow(MB, MB), None),
    ],
)
def test_forecast(behind: int, gains: float, changes: Flow, expected: float | None) -> None:
    """What is left over the lead; never, where what comes lasts and there is no lead worth the name; else it is not known."""
    assert expected == forecast_seconds(behind, gains, changes)


def flows(counts: list[int]) -> list[Flow]:
    """The flow after each second of these counts."""
    meter, told = Meter(), []
    for second, total in enumerate(counts):
        meter.count(float(second), total)
        told.append(meter.flow())
    return told


def test_a_burst_is_over_when_it_is() -> None:
    """It comes for a third of the window, and lasts at no time."""
    told = flows([0, 25 * MB, 50 * MB, *[50 * MB] * 12])
    assert 25 * MB == told[1].now == told[2].now
    assert [0.0] * 9 == [flow.now for flow in told[6:]]
    assert {0.0} == {flow.lasting for flow in told}


def test_what_goes_on_lasts() -> None:
    """A steady rate is both once it has been seen for a window, and stays both."""
    told = flows([second * MB for second in range(20)])
    assert {0.0} == {flow.lasting for flow in told[:6]}
    assert [pytest.approx((MB, MB))] * 9 == [tuple(flow) for flow in told[11:]]
