"""Shares of all names go round: what is next, what is passed over, and since when all was checked."""

from __future__ import annotations

import random

from agent.generations.checked_names import PLACES, STRETCHES_MOST, CheckedNames, NameRange, Stretch, are_whole

DAY = 86_400 * 10**9
SHARE = -(-PLACES // 20)
NOW = 1_700_000_000 * 10**9


def daily(names: CheckedNames, day: int, within: int, share: int = SHARE) -> tuple[CheckedNames, int]:
    """A share of that day; and how many places it had."""
    left, now = share, NOW + day * DAY
    while left and (range := names.ahead(left, now, within)) is not None:
        names, left = names.checked(range, now), left - range.width
    return names, share - left


def test_shares_go_round_and_what_was_checked_within_that_time_is_passed_over() -> None:
    """Twentieths take 20 days; nothing until 30 have passed; then the same again."""
    names, read = CheckedNames(), []
    for day in range(70):
        names, places = daily(names, day, 30 * DAY)
        read.append(places)
    lap = [SHARE] * 19 + [PLACES - 19 * SHARE]
    assert (lap, [0] * 10) == (read[:20], read[20:30])
    assert (lap, [0] * 10) == (read[30:50], read[50:60])


def test_all_was_checked_since_the_oldest_share() -> None:
    """0 while some never were."""
    names = CheckedNames()
    sinces = []
    for day in range(25):
        names, _ = daily(names, day, 0)
        sinces.append(names.since)
    assert ([0] * 19, NOW, NOW + 5 * DAY) == (sinces[:19], sinces[19], sinces[-1])


def test_a_clock_that_ran_ahead_makes_nothing_fresh() -> None:
    """What was checked in a year that is to come is checked again."""
    assert NameRange(0, SHARE) == CheckedNames.all_at(NOW + 365 * DAY).ahead(SHARE, NOW, 30 * DAY)
    assert CheckedNames.all_at(NOW).ahead(SHARE, NOW + DAY, 30 * DAY) is None


def test_each_name_is_in_one_share() -> None:
    """The first and the last too."""
    assert (True, False) == (NameRange(0, 1).has(bytes(32)), NameRange(1, PLACES).has(bytes(32)))
    assert (True, False) == (NameRange(1, PLACES).has(b"\xff" * 32), NameRange(0, PLACES - 1).has(b"\xff" * 32))


def test_any_ranges_leave_a_whole_ring_and_claim_no_more_than_is_so(rng: random.Random) -> None:
    """Against a model of a few places; of stretches without number the older time stands."""
    names, model = CheckedNames(), [0] * 512
    wide = PLACES // len(model)
    for time in range(1, 600):
        first = rng.randrange(len(model))
        end = min(len(model), first + rng.randrange(1, 4))
        names = names.checked(NameRange(first * wide, end * wide), time)
        model[first:end] = [time] * (end - first)
        assert (True, True) == (are_whole(names.stretches), len(names.stretches) <= STRETCHES_MOST)
        assert end * wide % PLACES == names.next
        if time % 30:
            continue
        claimed = [next(one.time for one in names.stretches if one.end > place * wide) for place in range(len(model))]
        assert all(one <= true for one, true in zip(claimed, model, strict=True))


def test_a_ring_with_a_gap_is_none() -> None:
    """What was kept may be anything."""
    assert [True, False, False, False] == [
        are_whole(CheckedNames().stretches),
        are_whole(()),
        are_whole((Stretch(0, 5, 0), Stretch(6, PLACES, 0))),
        are_whole((Stretch(0, PLACES + 1, 0),)),
    ]
