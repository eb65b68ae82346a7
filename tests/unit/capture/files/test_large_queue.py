"""Large files that wait to be read: each once, and again what was asked for meanwhile."""

from __future__ import annotations

import math

from agent.capture.files.large_queue import LargeQueue
from agent.capture.outstanding import Outstanding
from agent.core.ids import ROOT


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
