"""What work leaves to other work is a part of it."""

from __future__ import annotations

import random

import pytest

from agent.capture.outstanding import Outstanding


def test_what_is_left_to_other_work_is_waited_for() -> None:
    """Over any number of steps, and with nothing that was begun meanwhile."""
    work = Outstanding()
    first = work.begin()
    with work.on_behalf((first,)):
        second = work.begin()
    work.end(first)
    other = work.begin()
    with work.on_behalf((second,)):
        third = work.begin()
    work.end(second)
    assert not work.passed(first)
    work.end(third)
    assert (True, False) == (work.passed(second), work.passed(other))


def test_it_has_not_ended_while_somebody_goes_on_with_it() -> None:
    """What ends within a block may still leave something in it."""
    work = Outstanding()
    first = work.begin()
    with work.on_behalf((first,)):
        work.end(first)
        second = work.begin()
    assert not work.passed(first)
    work.end(second)
    assert work.passed(first)
    with work.on_behalf((first,)):
        third = work.begin()
    assert work.passed(first)
    work.end(third)
    assert not work.goes_on()


def test_what_waits_already_is_joined() -> None:
    """The one that waits longest is waited for by both."""
    work = Outstanding()
    first, waiting = work.begin(), work.begin()
    with work.on_behalf((first,)):
        work.join(waiting)
        work.join(waiting)
    work.end(first)
    assert not work.passed(first)
    work.end(waiting)
    assert not work.goes_on()


def test_nothing_waits_for_itself() -> None:
    """What was left by work that waits again is a part of it: it never joins it."""
    work = Outstanding()
    first = work.begin()
    with work.on_behalf((first,)):
        second = work.begin()
        work.join(first)
    with work.on_behalf((second,)):
        work.join(first)
        work.join(second)
    work.end(second)
    work.end(first)
    assert not work.goes_on()


def test_what_was_given_back_as_a_hint_is_a_part_too() -> None:
    """Until it was looked at, and then all that this began."""
    work = Outstanding()
    first = work.begin()
    with work.on_behalf((first,)):
        work.gave_back()
        work.gave_back()
        work.end(first)
    assert not work.passed(first)
    with work.on_behalf(work.owing):
        second = work.begin()
    work.looked_at()
    assert not work.passed(first)
    work.end(second)
    assert (True, False) == (work.passed(first), work.goes_on())


def test_everybody_waits_for_what_the_oldest_leaves() -> None:
    """It has ended itself: without anything left nobody does."""
    work = Outstanding()
    with work.on_behalf((work.oldest(),)):
        left = work.begin()
    assert not work.passed(0)
    work.end(left)
    assert (True, False) == (work.passed(0), work.goes_on())
    with work.on_behalf((work.oldest(),)):
        pass
    assert not work.goes_on()


@pytest.mark.parametrize("round", range(50))
def test_all_ends_at_last(round: int, rng: random.Random) -> None:
    """Work at random, on behalf of other work, joined and given back: work is passed only when all that it left has ended, and
    nothing stays when all has."""
    work = Outstanding()
    going: set[int] = set()
    left: dict[int, set[int]] = {}
    for _ in range(60):
        of = rng.sample(sorted(going), min(len(going), rng.randrange(3)))
        with work.on_behalf(of):
            if going and rng.random() < 0.3:
                work.join(rng.choice(sorted(going)))
            else:
                new = work.begin()
                going.add(new)
                for one in of:
                    left.setdefault(one, set()).add(new)
            if rng.random() < 0.2:
                work.gave_back()
        if going and rng.random() < 0.5:
            ended = rng.choice(sorted(going))
            going.discard(ended)
            work.end(ended)
        if rng.random() < 0.2:
            work.looked_at()
        for serial in range(1, work.last + 1):
            if serial in going or left.get(serial, set()) & going:
                assert not work.passed(serial)
    for serial in sorted(going, key=lambda _: rng.random()):
        work.end(serial)
    work.looked_at()
    assert not work.goes_on()
