"""How often a device is committed, and when what is left fits its freeze."""

from __future__ import annotations

import pytest

from agent.capture.device.rhythm import NextStep, Rhythm, RhythmLimits

LIMITS = RhythmLimits(rate=100e6)
MB = 10**6


def test_what_can_be_read_in_time_fits() -> None:
    """At the rate that reads had, within the configured freeze; a little always fits, and memory is a bound."""
    rhythm = Rhythm.begin(5.0, 0.05, LIMITS)
    slow, fast = Rhythm(5.0, 0.05, LIMITS, 1000.0), Rhythm(5.0, 0.05, LIMITS, 1e12)
    assert (5 * MB, LIMITS.least, LIMITS.memory) == (rhythm.fits, slow.fits, fast.fits)


@pytest.mark.parametrize(
    ("rounds", "left", "step"),
    [(0, 5 * MB, NextStep.FREEZE), (0, 6 * MB, NextStep.READ), (5, 6 * MB, NextStep.READ), (6, 6 * MB, NextStep.LATER)],
)
def test_rounds_go_on_until_it_fits(rounds: int, left: int, step: NextStep) -> None:
    """And not for ever."""
    assert step is Rhythm.begin(5.0, 0.05, LIMITS).after_round(rounds, left)


def test_a_freeze_stretches_while_it_does_not_fit_and_shrinks_again() -> None:
    """Up to the longest; with each commit it comes back to what is configured, and is said meanwhile."""
    rhythm = Rhythm.begin(5.0, 0.05, LIMITS)
    reads = []
    for _ in range(7):
        rhythm = rhythm.not_fitting()
        reads.append(round(rhythm.reads_for, 3))
    behind = rhythm.is_behind
    for _ in range(7):
        rhythm = rhythm.committed(0.02)
    assert ([0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0], True, 0.05, False) == (
        reads, behind, rhythm.reads_for, rhythm.is_behind,
    )  # fmt: skip


def test_long_freezes_come_less_often() -> None:
    """They take their share of the time and no more; more than twice the interval that is asked for is behind."""
    quick, long = Rhythm.begin(5.0, 0.05, LIMITS).committed(0.1), Rhythm.begin(5.0, 0.05, LIMITS).committed(0.6)
    assert ((5.0, False), (12.0, True)) == (
        (quick.interval, quick.is_behind), (round(long.interval, 6), long.is_behind),
    )  # fmt: skip


def test_small_reads_say_nothing_of_the_rate() -> None:
    """Larger ones move it."""
    rhythm = Rhythm.begin(5.0, 0.05, LIMITS)
    assert (100e6, 130e6) == (rhythm.read(1000, 1.0).rate, round(rhythm.read(200 * MB, 1.0).rate))
