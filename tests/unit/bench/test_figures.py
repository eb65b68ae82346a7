"""From runs to rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.figures import Row, Spec, alone, paired, percentile, unmeasured

_SPEC = Spec("copy", "copying", "rsync", limit=0.9, aim=0.8)


def test_paired_runs_give_medians_and_the_median_of_their_ratios() -> None:
    """The ratio is that of pairs, not of the medians: the machine drifts between pairs, not within them."""
    row = paired(_SPEC, [1.0, 8.0, 3.0], [2.0, 10.0, 3.0])
    assert Row(_SPEC, 3.0, 3.0, 0.8, True) == row


@pytest.mark.parametrize(
    ("better", "ours", "holds"),
    [("lower", 0.9, True), ("lower", 0.91, False), ("higher", 0.9, True), ("higher", 0.89, False)],
)
def test_a_limit_holds_at_its_own_value(better: str, ours: float, holds: bool) -> None:
    """A ratio equal to the limit reaches it, from either side."""
    spec = replace(_SPEC, better="lower" if better == "lower" else "higher")
    assert holds is paired(spec, [ours], [1.0]).holds


def test_without_a_limit_nothing_holds_or_fails() -> None:
    """A row that only informs has no verdict."""
    assert None is paired(replace(_SPEC, limit=None), [5.0], [1.0]).holds


def test_pairs_must_be_pairs() -> None:
    """A run without its partner is a mistake, not a figure."""
    with pytest.raises(ValueError, match="shorter"):
        paired(_SPEC, [1.0, 2.0], [1.0])


def test_a_limit_of_our_own_figure_needs_no_peer() -> None:
    """Memory is held to bytes; a peer's figure is only shown."""
    spec = replace(_SPEC, limit=100.0, of="ours")
    assert Row(spec, 120.0, None, None, False) == alone(spec, [110.0, 120.0, 130.0])
    assert Row(spec, 90.0, 2.0, None, True) == alone(spec, [90.0], [1.0, 2.0, 3.0])


def test_what_could_not_be_measured_says_why_on_one_line() -> None:
    """No verdict, the reason without line breaks, and our own part where there is one."""
    assert Row(_SPEC, reason="rsync is not installed") == unmeasured(_SPEC, "rsync is\n not installed")
    assert Row(_SPEC, 2.0, reason="no peer") == unmeasured(_SPEC, "no peer", [1.0, 2.0, 3.0])


def test_percentiles_are_values_that_were_measured() -> None:
    """The nearest rank, nothing interpolated."""
    values = [float(number) for number in range(100, 0, -1)]
    assert [50.0, 99.0, 100.0, 1.0] == [percentile(values, part) for part in (0.5, 0.99, 1.0, 0.001)]
    assert 7.0 == percentile([7.0], 0.99)
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)
