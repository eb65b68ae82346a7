"""Rates within hours of the local day, by any limits, at any time, over changes of the clock; and the bucket that keeps them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.values import Limit, Limits
from agent.core.clock import ManualClock
from agent.stream.messages import BATCH_TARGET
from agent.stream.sending.pace import Allowance, Bucket, LocalTime, Pace, allowed, local_time

MB = 1_000_000
MINUTE, HOUR, DAY = 60, 3600, 86_400
MIDNIGHT = 1_800_000_000 // DAY * DAY
NIGHT = (22 * 60, 5 * 60)


def utc(seconds: float) -> datetime:
    """A wall clock without changes."""
    return datetime.fromtimestamp(seconds, UTC)


def put(at: int, minutes: int) -> LocalTime:
    """A wall clock that is put forward (or back) by so many minutes ``at`` a moment."""

    def local(seconds: float) -> datetime:
        ahead = timedelta(minutes=minutes if seconds >= at else 0)
        return datetime.fromtimestamp(seconds, timezone(ahead))

    return local


minutes = st.integers(0, 24 * 60 - 1)
hours = st.none() | st.tuples(minutes, minutes).filter(lambda span: span[0] != span[1])
limit = st.builds(Limit, hours, st.none() | st.integers(1, 3))
limits = st.lists(limit, max_size=4).map(tuple)
clocks = st.builds(put, st.integers(MIDNIGHT, MIDNIGHT + 2 * DAY).map(lambda at: at // 60 * 60), st.integers(-120, 120))


def by_hand(some: Sequence[Limit], moment: datetime) -> int | None:
    """The rule, said in another way: every minute of an entry's hours, counted out."""
    for one in some:
        if one.hours is None:
            return one.rate
        start, end = one.hours
        length = (end - start) % (24 * 60)
        if moment.hour * 60 + moment.minute in {(start + step) % (24 * 60) for step in range(length)}:
            return one.rate
    return 0 if some else None


@given(limits, st.integers(MIDNIGHT, MIDNIGHT + 2 * DAY), clocks)
def test_any_limits_at_any_time(some: tuple[Limit, ...], now: int, local: LocalTime) -> None:
    """The rate is that of the first entry whose hours have the minute; until it changes every minute has the same one, and the
    minute of the change another."""
    found = allowed(some, now, local)
    assert by_hand(some, local(now)) == found.rate
    if found.until is None:
        assert {found.rate} == {by_hand(some, local(now + ahead)) for ahead in range(0, 2 * DAY, 7 * MINUTE)}
        return
    assert (0, True) == (found.until % 60, now < found.until <= now + 3 * DAY)
    assert found.rate != by_hand(some, local(found.until))
    between = {by_hand(some, local(at)) for at in range(now // 60 * 60, int(found.until), MINUTE) if at >= now}
    assert between <= {found.rate}


@pytest.mark.parametrize(
    ("at", "rate", "until"),
    [
        (21 * HOUR + 59 * MINUTE + 59, 0, 22 * HOUR),
        (22 * HOUR, 80 * MB, 29 * HOUR),
        (28 * HOUR + 59 * MINUTE, 80 * MB, 29 * HOUR),
        (29 * HOUR, 0, 46 * HOUR),
    ],
)
def test_hours_pass_midnight(at: int, rate: int, until: int) -> None:
    """22:00-05:00 begins in the evening, ends in the morning, and says so on either side of midnight."""
    found = allowed((Limit(NIGHT, 80 * MB),), MIDNIGHT + at, utc)
    assert Allowance(rate, MIDNIGHT + until) == found


def test_the_night_in_which_clocks_are_put() -> None:
    """The wall clock decides: a night is an hour shorter, or longer; hours that it skips open the moment it is put forward."""
    night = (Limit(NIGHT, MB),)
    assert MIDNIGHT + 4 * HOUR == allowed(night, MIDNIGHT, put(MIDNIGHT + 2 * HOUR, 60)).until
    assert MIDNIGHT + 6 * HOUR == allowed(night, MIDNIGHT, put(MIDNIGHT + 3 * HOUR, -60)).until
    skipped = (Limit((2 * 60 + 30, 4 * 60), MB),)
    assert MIDNIGHT + 2 * HOUR + 30 * MINUTE == allowed(skipped, MIDNIGHT, utc).until
    assert MIDNIGHT + 2 * HOUR == allowed(skipped, MIDNIGHT, put(MIDNIGHT + 2 * HOUR, 60)).until


def test_no_hours_and_no_entries() -> None:
    """An entry without hours is the whole day; the first that fits counts; no entry is no limit."""
    always, night = Limit(None, MB), Limit(NIGHT, None)
    assert Allowance(MB, None) == allowed((always, night), MIDNIGHT, utc)
    assert Allowance(None, MIDNIGHT + 5 * HOUR) == allowed((night, always), MIDNIGHT, utc)
    assert Allowance(MB, MIDNIGHT + 22 * HOUR) == allowed((night, always), MIDNIGHT + 5 * HOUR, utc)
    assert Allowance(None, None) == allowed((), MIDNIGHT, utc)


@given(
    st.integers(1_000, 100 * MB),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 4 << 20)), min_size=1, max_size=60),
)
def test_the_bucket_keeps_the_rate(rate: int, batches: list[tuple[float, int]]) -> None:
    """Whatever comes whenever: in every stretch of time no more goes than the rate, one bucket and one batch; what must wait
    waits no longer than that needs, and goes then."""
    bucket, now = Bucket(math.inf, 0.0), 0.0
    depth = max(rate, BATCH_TARGET)
    went: list[tuple[float, int]] = []
    for rest, size in batches:
        now += rest
        seconds = bucket.refilled(rate, now).seconds_for(size, rate)
        assert seconds <= (depth + (4 << 20)) / rate
        now += seconds
        bucket = bucket.refilled(rate, now)
        assert bucket.seconds_for(size, rate) < 1e-6
        bucket = bucket.without(size)
        went.append((now, size))
    for first in range(len(went)):
        total = sum(size for _, size in went[first:])
        assert total <= rate * (now - went[first][0]) + depth + (4 << 20) + 1


def pace_of(clock: ManualClock, limits: Limits, first: bool = False) -> Pace:
    """A pace whose local time is UTC."""
    return Pace(lambda: limits, lambda: first, clock, utc)


def test_small_edits_do_not_wait() -> None:
    """A second's worth of the rate goes at once after a rest, then the rate holds; a rest brings no more than that."""
    clock = ManualClock()
    pace = pace_of(clock, Limits(steady=(Limit(None, 4 * MB),)))
    clock.advance(1000)
    assert [0.0] * 400 == [pace.take(10_000) for _ in range(400)]
    assert pytest.approx(0.0025) == pace.take(10_000)
    clock.advance(0.0025)
    assert 0.0 == pace.take(10_000)
    clock.advance(1000)
    assert [0.0] * 400 + [True] == [pace.take(10_000) for _ in range(400)] + [pace.take(10_000) > 0]


def test_a_batch_larger_than_a_second_goes_and_is_worked_off() -> None:
    """At a rate below a batch a second one batch goes, and the next waits until it is paid for."""
    clock = ManualClock()
    pace = pace_of(clock, Limits(steady=(Limit(None, 100_000),)))
    assert 0.0 == pace.take(2 * BATCH_TARGET)
    assert pytest.approx(2 * BATCH_TARGET / 100_000) == pace.take(BATCH_TARGET)


def test_the_list_for_the_first_sync() -> None:
    """It holds for a peer in its first sync only, and each list for itself."""
    clock = ManualClock()
    both = Limits(first_sync=(Limit(None, MB),), steady=())
    assert (MB, True) == ((first := pace_of(clock, both, True).terms()).allowance.rate, first.first_sync)
    assert (None, False) == ((steady := pace_of(clock, both).terms()).allowance.rate, steady.first_sync)


def test_closed_hours_end_by_themselves() -> None:
    """Outside of the hours nothing goes, and how long is said; when they begin it goes."""
    clock = ManualClock(MIDNIGHT * 10**9 + 21 * HOUR * 10**9)
    pace = pace_of(clock, Limits(steady=(Limit(NIGHT, MB),)))
    assert (3600.0, True) == (pace.take(1), pace.stands_still)
    clock.advance(3600)
    assert (0.0, False) == (pace.take(1), pace.stands_still)


def test_new_limits_are_seen_at_the_next_batch() -> None:
    """They are asked for each time: raised, lifted, or closed."""
    clock = ManualClock(MIDNIGHT * 10**9)
    now = [Limits(steady=(Limit(None, MB),))]
    pace = Pace(lambda: now[0], lambda: False, clock, utc)
    assert 0.0 == pace.take(2 * MB)
    assert pytest.approx(2.0, abs=0.1) == pace.take(2 * MB)
    now[0] = Limits(steady=(Limit(None, 100 * MB),))
    assert pace.take(MB) < 0.1
    now[0] = Limits()
    assert 0.0 == pace.take(100 * MB)
    now[0] = Limits(steady=(Limit((60, 120), None),))
    assert 3600.0 == pace.take(1)


def test_the_machines_own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Local time with its summer: 02:30 of the last Sunday in March is skipped, and the hours begin at 03:00."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        before = datetime(2026, 3, 29, 0, 10, tzinfo=UTC).timestamp()
        found = allowed((Limit((150, 240), MB),), before, local_time)
        assert Allowance(0, datetime(2026, 3, 29, 1, 0, tzinfo=UTC).timestamp()) == found
    finally:
        monkeypatch.undo()
        time.tzset()
