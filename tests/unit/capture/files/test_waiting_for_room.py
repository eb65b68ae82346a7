"""Entries that wait for the link."""

from __future__ import annotations

from agent.capture.files.waiting_for_room import Later
from agent.capture.outstanding import Outstanding
from agent.core.ids import ObjectId

DIRECTORY = ObjectId(1)


def test_the_newest_does_not_wait_for_all_the_others() -> None:
    """The oldest and the newest are taken in turn, each once, and what they began ends with them."""
    outstanding = Outstanding()
    later = Later(outstanding)
    for number in (1, 2, 3, 4, 1):
        later.add((DIRECTORY, b"%d" % number), 10, float(number))
    assert (4, 40, 1.0) == (len(later), later.bytes, later.since)
    taken = []
    while one := later.take():
        (_, name), _, serial = one
        taken.append(name)
        later.done(serial)
    assert [b"1", b"4", b"2", b"3"] == taken
    assert (0, None, True) == (later.bytes, later.since, outstanding.passed(outstanding.last))


def test_what_is_asked_for_while_it_is_looked_at_waits_again() -> None:
    """Nothing is lost between taking one and having looked at it."""
    outstanding = Outstanding()
    later = Later(outstanding)
    later.add((DIRECTORY, b"a"), 10, 1.0)
    taken = later.take()
    assert taken is not None
    later.add((DIRECTORY, b"a"), 20, 2.0)
    later.done(taken[2])
    assert (1, 20, 2.0, False) == (len(later), later.bytes, later.since, outstanding.passed(outstanding.last))
