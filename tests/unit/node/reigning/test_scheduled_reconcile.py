"""When the whole source is looked at by schedule."""

from __future__ import annotations

from agent.core.clock import ManualClock
from agent.node.reigning.scheduled_reconcile import ScheduledReconcile

#: A quarter past an hour.
_QUARTER = 1_700_000_100 * 10**9


def test_it_is_due_once_a_moment_of_the_schedule() -> None:
    """Not before it, and not again until the next; what was missed in between is one look."""
    clock = ManualClock(_QUARTER)
    scheduled = ScheduledReconcile("0 * * * *", clock)
    before = scheduled.take_due()
    clock.advance(3600.0)
    due = [scheduled.take_due(), scheduled.take_due()]
    clock.advance(3600.0)
    assert (False, [True, False], True) == (before, due, scheduled.take_due())


def test_another_schedule_holds_at_once() -> None:
    """None at all, for instance: what the one before would have asked for is not made up for."""
    clock = ManualClock(_QUARTER)
    scheduled = ScheduledReconcile("0 * * * *", clock)
    scheduled.configure(None)
    clock.advance(86_400.0)
    never = scheduled.take_due()
    scheduled.configure("0 * * * *")
    assert (False, False) == (never, scheduled.take_due())
