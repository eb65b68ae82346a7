"""Who waits for what."""

from __future__ import annotations

import pytest

from agent.capture.outstanding import Outstanding
from agent.capture.tickets import Awaited, Barrier, Ticket
from agent.core.errors import TryAgain
from agent.core.ids import CommitNumber
from agent.watch.hint import Hint, Look
from agent.watch.settle import Settle


def test_a_barrier_waits_for_hints_and_for_what_they_began() -> None:
    """Not covered while a hint waits, nor while the work goes on that it began; later work does not matter."""
    settle, walks, work = Settle(), Outstanding(), Outstanding()
    settle.add([Hint(b"a", Look.ENTRY)], 0.0)
    waiting = Awaited(None, mark=settle.mark())
    assert not waiting.covered(settle, walks, work)
    settle.ready(10.0, 10)
    first = work.begin()
    assert not waiting.covered(settle, walks, work)
    work.begin()
    work.end(first)
    assert waiting.covered(settle, walks, work)


def test_a_walk_waits_for_hints_from_before_its_end() -> None:
    """The mark is set when the walk ends, and those hints are ready at once."""
    settle, walks, work = Settle(), Outstanding(), Outstanding()
    walk = walks.begin()
    waiting = Awaited(None, walk=walk)
    settle.add([Hint(b"a", Look.ENTRY)], 0.0)
    assert not waiting.covered(settle, walks, work)
    walks.end(walk)
    assert not waiting.covered(settle, walks, work)
    assert [b"a"] == [hint.path for hint in settle.ready(0.0, 10)]
    assert waiting.covered(settle, walks, work)


def test_what_is_given_back_still_waits() -> None:
    """A file that changed while it was read keeps the barrier waiting."""
    settle, walks, work = Settle(), Outstanding(), Outstanding()
    settle.add([Hint(b"a", Look.ENTRY)], 0.0)
    waiting = Awaited(None, mark=settle.mark())
    settle.returned(settle.ready(1.0, 10), 1.0)
    assert not waiting.covered(settle, walks, work)


def test_tickets_end_one_way_or_another() -> None:
    """Done with a number, cancelled with a reason, or too late for the caller."""
    done, cancelled, open_ = Ticket("wait"), Ticket("wait"), Ticket("wait")
    done.finish(CommitNumber(7))
    done.cancel("too late")
    cancelled.cancel("capture stopped")
    assert done.wait(0) == 7
    with pytest.raises(TryAgain, match="capture stopped"):
        cancelled.wait(0)
    with pytest.raises(TryAgain, match="not captured"):
        open_.wait(0)


def test_a_barrier_waits_for_the_watcher_and_then_for_capture() -> None:
    """It may be asked again and again, sets another one where the watch broke, and takes its ticket once."""
    answers: list[bool | None] = [False, None, False, True]
    ticket, enlisted = Ticket("wait"), []

    def enlist() -> Ticket:
        enlisted.append(len(answers))
        return ticket

    one = Barrier(lambda: lambda _: answers.pop(0), enlist)
    for reason in ("not told yet", "not told yet", "not captured yet", "not captured yet"):
        with pytest.raises(TryAgain, match=reason):
            one.wait(0)
    ticket.finish(CommitNumber(7))
    assert (7, [0]) == (one.wait(0), enlisted)
