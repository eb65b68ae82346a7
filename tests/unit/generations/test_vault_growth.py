"""How fast a vault grows, and how much history there is room for."""

from __future__ import annotations

from agent.generations.vault_growth import (
    LEAST_HISTORY,
    Sample,
    bytes_per_day,
    decode_samples,
    encode_samples,
    full_at,
    history_allowed,
    sampled,
)

HOUR = 3600 * 10**9
DAY = 24 * HOUR
MIB = 1 << 20


def grown(hours: int, per_day: int, wave: int = 0) -> tuple[Sample, ...]:
    """Samples of so many hours; each day ``wave`` more comes, and is collected at its end."""
    samples: tuple[Sample, ...] = ()
    for hour in range(hours + 1):
        size = 1000 * MIB + per_day * hour // 24 + wave * (hour % 24) // 24
        samples = sampled(samples, Sample(hour * HOUR, size))
    return samples


def test_growth_is_measured_over_whole_days() -> None:
    """What is collected once a day does not look like growth; the first hours tell what they can, and less nothing."""
    assert 50 * MIB == bytes_per_day(grown(75, 50 * MIB, wave=400 * MIB), grown(75, 50 * MIB, wave=400 * MIB)[-1])
    early = grown(6, 48 * MIB)
    assert 48 * MIB == bytes_per_day(early, early[-1])
    assert None is bytes_per_day(early[:1], early[0])
    shrinking = grown(48, -24 * MIB)
    assert -24 * MIB == bytes_per_day(shrinking, shrinking[-1])


def test_samples_are_hourly_and_of_eight_days() -> None:
    """A clock that was set back begins anew; what was kept is read again."""
    samples = grown(400, MIB)
    assert 8 * 24 + 1 == len(samples)
    assert samples == sampled(samples, Sample(samples[-1].time + HOUR - 1, 5))
    assert (Sample(5, 6),) == sampled(samples, Sample(5, 6))
    assert samples == decode_samples(encode_samples(samples))
    assert ((), ()) == (decode_samples(None), decode_samples(b"torn"))


def test_the_limit_is_foreseen() -> None:
    """Only where there is one, and something grows."""
    now = Sample(10 * DAY, 700)
    assert 13 * DAY == full_at(now, 100, 1000)
    assert 10 * DAY == full_at(now, 100, 600)
    assert [None] * 3 == [full_at(now, 100, None), full_at(now, 0, 1000), full_at(now, None, 1000)]


def test_history_gives_way_to_room_and_comes_back() -> None:
    """A quarter less with each collection that leaves too little; never more than is configured, nor less than a minute."""
    day = 86_400
    assert day == history_allowed(day, day, day, 10**12, None)
    assert day * 3 // 4 == history_allowed(day, day, day, 95, 100)
    assert day * 3 // 8 == history_allowed(day, day, day // 2, 95, 100)
    assert 1000 == history_allowed(day, 1000, 900, 80, 100)
    assert 1250 == history_allowed(day, 1000, 900, 60, 100)
    assert day == history_allowed(day, day - 1, day, 60, 100)
    assert LEAST_HISTORY == history_allowed(day, 61, 61, 99, 100)
