"""Who waits for what."""

from __future__ import annotations

import math

import pytest

from agent.capture.tickets import Awaited, Barrier, LargeQueue, Outstanding, Ticket
from agent.core.errors import TryAgain
from agent.core.ids import ROOT, CommitNumber
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


def test_large_files_are_asked_for_once() -> None:
    """While it waits once is enough; what must be read again is the same work, with what was asked for meanwhile."""
    work = Outstanding()
    queue = LargeQueue(work)
    name = (ROOT, b"large")
    queue.add(name)
    queue.add(name)
    assert len(queue) == 1
    taken = queue.take()
    assert taken == (name, (1,))
    queue.add(name)
    queue.add(name)
    assert [True] == [queue.asked_again]
    queue.done((1,), again=True)
    assert not work.passed(1)
    assert queue.take() == (name, (1, 2))
    assert [False] == [queue.asked_again]
    queue.done((1, 2), again=False)
    assert work.passed(2)
    assert queue.take() is None


def test_a_large_file_that_is_taken_as_read_is_read_again() -> None:
    """What was asked for during that reading is not done with it: a barrier from then waits for the next."""
    work = Outstanding()
    queue = LargeQueue(work)
    queue.add((ROOT, b"log"))
    assert queue.take() == ((ROOT, b"log"), (1,))
    queue.add((ROOT, b"log"))
    barrier = work.last
    queue.done((1,), again=False)
    assert (True, False, 1) == (work.passed(1), work.passed(barrier), len(queue))
    assert queue.take() == ((ROOT, b"log"), (2,))
    queue.done((2,), again=False)
    assert work.passed(barrier)


def test_a_large_file_that_was_read_of_late_waits_until_it_is_due() -> None:
    """With the serial of the work that ends with it, so that whoever waits for it waits; and it can be brought forward."""
    work = Outstanding()
    queue = LargeQueue(work)
    queue.add((ROOT, b"log"), due=10.0, now=4.0)
    queue.add((ROOT, b"log"), due=20.0, now=5.0)
    queue.add((ROOT, b"other"), due=30.0, now=6.0)
    queue.release(9.0)
    assert (0, 2, 10.0, None) == (len(queue), queue.later, queue.next_due(), queue.take())
    assert (False, 4.0) == (work.passed(1), queue.waits_since())
    queue.release(10.0)
    assert ((ROOT, b"log"), (1,)) == queue.take()
    queue.add((ROOT, b"log"))
    queue.done((1,), again=False, due=15.0)
    assert (0, 2, True) == (len(queue), queue.later, work.passed(1))
    queue.release(math.inf)
    assert (2, 0) == (len(queue), queue.later)


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
