"""The clock by which generations grow old."""

from __future__ import annotations

import random

from agent.generations.retention_clock import RetentionTime, Ticks, first_retention_time

YEAR = 365 * 86_400 * 10**9
HOUR = 3600 * 10**9
NOW = 1_795_320_900 * 10**9


def after(*ticks: Ticks) -> int:
    """How far it moved, in ns, from the first to the last."""
    clock = first_retention_time(ticks[0])
    for one in ticks[1:]:
        clock = clock.moved(one)
    return clock.now - ticks[0].wall


def test_it_moves_as_both_clocks_do() -> None:
    """An hour is an hour."""
    assert HOUR == after(Ticks(NOW, 5, "a"), Ticks(NOW + HOUR, 5 + HOUR, "a"))


def test_jumps_and_dead_clocks_move_it_by_no_more_than_passed() -> None:
    """Years ahead and back again, and a wall clock that stands."""
    assert HOUR == after(Ticks(NOW, 0, "a"), Ticks(NOW + 70 * YEAR, HOUR, "a"))
    assert HOUR == after(Ticks(NOW, 0, "a"), Ticks(0, HOUR, "a"), Ticks(NOW, 2 * HOUR, "a"))
    assert 0 == after(Ticks(NOW, 0, "a"), Ticks(NOW, 5 * HOUR, "a"))


def test_after_a_boot_it_moves_by_the_time_since_then() -> None:
    """What passed while the machine was off is not known; a clock that a boot sets ahead moves it no further."""
    assert HOUR == after(Ticks(NOW, 9 * HOUR, "a"), Ticks(NOW + 3 * HOUR, HOUR, "b"))
    assert HOUR // 2 == after(Ticks(NOW, 9 * HOUR, "a"), Ticks(NOW + HOUR // 2, HOUR, "b"))
    # Without a name for the boot, a time since boot that fell is another one.
    assert HOUR == after(Ticks(NOW, 9 * HOUR, ""), Ticks(NOW + 3 * HOUR, HOUR, ""))


def test_no_clocks_whatever_make_it_run_ahead(seed: int) -> None:
    """It never falls, and is never further than what really passed; however the wall clock jumps, and at each boot."""
    chance = random.Random(seed)
    real, boot_at, boot = 0, 0, 0
    clock: RetentionTime = first_retention_time(Ticks(NOW, 0, "0"))
    for _ in range(1000):
        passed = chance.randrange(2 * HOUR)
        real += passed
        if chance.random() < 0.1:
            boot, boot_at = boot + 1, real - chance.randrange(passed + 1)
        wall = NOW + real + chance.choice((0, 0, 0, 1, -1, 50)) * chance.randrange(YEAR)
        before, clock = clock.now, clock.moved(Ticks(wall, real - boot_at, str(boot)))
        assert before <= clock.now <= NOW + real
