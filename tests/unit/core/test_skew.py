"""How far two clocks are apart: the bounds of one comparison, and what is certain."""

from __future__ import annotations

import random

import pytest

from agent.core.skew import APART_NS, Skew, is_apart, skew_of

SECOND = 10**9
DAY = 86_400 * SECOND


def test_the_truth_lies_within_the_bounds(seed: int) -> None:
    """Whatever the clocks show, and however long either way takes."""
    chance = random.Random(seed)
    for _ in range(1000):
        ours, ahead = chance.randrange(10**19), chance.randrange(-(10**19), 10**19)
        after = chance.randrange(1, 10**15)
        there, back = chance.randrange(100 * SECOND), chance.randrange(100 * SECOND)
        heard = after + there + back
        skew = skew_of(ours + ahead - back, after, heard, heard, ours)
        assert skew is not None
        assert (True, there + back) == (skew.least <= ahead <= skew.most, skew.most - skew.least)


@pytest.mark.parametrize(("after", "before"), [(0, 5), (6, 5), (1 << 63, 5)])
def test_an_echo_of_what_was_never_said_is_none(after: int, before: int) -> None:
    """Moments that are the wrong way round prove nothing."""
    assert None is skew_of(DAY, after, before, 5, DAY)


@pytest.mark.parametrize(
    ("skew", "from_near", "from_apart"),
    [
        (Skew(DAY, DAY + SECOND), True, True),
        (Skew(-DAY, -DAY + SECOND), True, True),
        (Skew(APART_NS, APART_NS + SECOND), False, True),
        (Skew(APART_NS // 2, APART_NS // 2 + 1), False, True),
        (Skew(-SECOND, SECOND), False, False),
        (Skew(-DAY, DAY), False, True),
    ],
)
def test_only_what_is_certain_changes_what_is_said(skew: Skew, from_near: bool, from_apart: bool) -> None:
    """It begins beyond the limit and ends within half of it; wide bounds leave it as it was."""
    assert (from_near, from_apart) == (is_apart(skew, False), is_apart(skew, True))
