"""Events that come too often."""

from __future__ import annotations

from agent.status.events import Event
from agent.status.repeats import AT_ONCE, EACH, Repeats


def _event(number: int, code: str = "socket-skipped") -> Event:
    return Event("web", code, f"raised: {number}")


def test_what_comes_too_often_is_counted_and_its_end_is_told() -> None:
    """So many at once; of the rest, each few minutes, how many there were and the last of them."""
    repeats = Repeats()
    told = [event for number in range(1000) for event in repeats.told([_event(number)], 0.0)]
    assert [_event(number) for number in range(AT_ONCE)] == told
    more = repeats.told([], EACH)
    words = "800 more, which came too often to be told one by one; the last: raised: 999"
    assert ([Event("web", "socket-skipped", words)], []) == (more, repeats.told([], EACH))


def test_others_are_told_meanwhile() -> None:
    """Each code of a dataset by itself."""
    repeats = Repeats()
    for number in range(1000):
        repeats.told([_event(number)], 0.0)
    other, elsewhere = _event(1, "held"), Event("mail", "socket-skipped", "raised")
    assert [other, elsewhere] == repeats.told([other, _event(1), elsewhere], 0.0)


def test_all_are_told_again_after_a_rest() -> None:
    """One that was left out is told as it was; nothing is remembered of what rests."""
    repeats = Repeats()
    for number in range(AT_ONCE + 1):
        repeats.told([_event(number)], 0.0)
    assert [_event(AT_ONCE)] == repeats.told([], EACH)
    assert [] == repeats.told([], EACH * (AT_ONCE + 1))
    many = [_event(number) for number in range(AT_ONCE)]
    assert many == repeats.told(many, EACH * (AT_ONCE + 2))


def test_a_flood_is_bounded() -> None:
    """An hour of a hundred a second leaves room for what happened before."""
    repeats = Repeats()
    told = 0
    for second in range(3600):
        told += len(repeats.told([_event(number) for number in range(100)], float(second)))
    assert told <= AT_ONCE + 3600 / EACH
