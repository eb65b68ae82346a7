"""When a peer is told what waits for it."""

from __future__ import annotations

from agent.core.clock import ManualClock
from agent.stream.messages import HEARTBEAT, Announce
from agent.stream.sending.talk.announcing import EVERY, Announcing


class Waits:
    """Satisfies ``Waiting``: so much waits, and it stirs when that is changed."""

    def __init__(self) -> None:
        self.count = 0
        self.stirs: object = 0

    def announce(self) -> Announce:
        """See ``Waiting``."""
        return Announce(self.count)


def test_it_is_told_at_once_then_when_it_stirs_and_seldom_else() -> None:
    """Some times a second at most; with each heartbeat where nothing moves; and once more after all has gone."""
    clock, waits = ManualClock(0), Waits()
    announcing = Announcing(waits, clock)
    assert (True, Announce(0), False) == (announcing.waits, announcing.due(), announcing.waits)
    waits.stirs, waits.count = 1, 3
    assert not announcing.waits
    clock.advance(EVERY)
    assert (True, Announce(3), False) == (announcing.waits, announcing.due(), announcing.waits)
    waits.count = 0
    clock.advance(EVERY)
    assert (True, Announce(0)) == (announcing.waits, announcing.due())
    clock.advance(EVERY)
    assert not announcing.waits
    clock.advance(HEARTBEAT)
    assert announcing.waits
