"""What comes again of a file that was given up is not counted twice, and never too low."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

from agent.capture.outlet import ReadChunk
from agent.stream.sending.feed import Feed, LiveItem, PeerQueue
from agent.stream.sending.passed import PASSED_MAX, PassedChunks
from fakes.idle import feed_at_all_hours

SIZE = 100


def chunks(numbers: Iterable[int], *, fresh: bool = False) -> list[ReadChunk]:
    """One of a hundred bytes by each number."""
    return [ReadChunk(b"%032d" % number, 0, bytes(SIZE), fresh) for number in numbers]


def attached(feed: Feed) -> PeerQueue:
    """One queue of a peer."""
    return feed.attach("one", lambda: None, lambda: 0)


def test_content_of_a_file_that_is_read_again() -> None:
    """What went before it was given up is not lacking, in the queue and in the parts that are taken from it."""
    feed = feed_at_all_hours()
    queue = attached(feed)
    feed.content(0, chunks(range(4), fresh=True), is_new=True)
    assert 4 * SIZE == queue.lacking
    queue.take(1000)
    feed.given_up(0)
    feed.content(1, chunks(range(6)), is_new=True)
    assert (6 * SIZE, 2 * SIZE) == (queue.bytes, queue.lacking)
    (first,) = queue.take(3 * SIZE)
    assert (0, 2 * SIZE) == (first.lacking, queue.lacking)
    (rest,) = queue.take(1000)
    assert (3 * SIZE, 2 * SIZE, 0) == (rest.size, rest.lacking, queue.lacking)


def test_what_still_waits_counts_once() -> None:
    """Also where it was not taken before it was given up."""
    feed = feed_at_all_hours()
    queue = attached(feed)
    feed.content(0, chunks(range(4), fresh=True))
    feed.given_up(0)
    feed.content(1, chunks(range(4)))
    assert (8 * SIZE, 4 * SIZE) == (queue.bytes, queue.lacking)


def test_another_queue() -> None:
    """One that was attached later has got none of it."""
    feed = feed_at_all_hours()
    feed.content(0, chunks(range(4), fresh=True))
    queue = attached(feed)
    feed.given_up(0)
    feed.content(1, chunks(range(4)))
    assert 4 * SIZE == queue.lacking


def test_content_that_is_not_given_up() -> None:
    """The same chunks in another file are asked for as ever: nobody knows what its peer keeps of the first."""
    feed = feed_at_all_hours()
    queue = attached(feed)
    feed.content(0, chunks(range(4), fresh=True))
    queue.take(1000)
    feed.content(1, chunks(range(4)))
    assert 4 * SIZE == queue.lacking


def test_what_was_dropped() -> None:
    """It did not go: what comes again of it is lacking, also what waits already."""
    feed = feed_at_all_hours()
    queue = attached(feed)
    feed.content(0, chunks(range(4), fresh=True))
    taken = queue.take(1000)
    feed.given_up(0)
    feed.content(1, chunks(range(2)))
    assert 0 == queue.lacking
    queue.dropped(taken)
    feed.content(2, chunks(range(4)))
    assert 6 * SIZE == queue.lacking
    queue.take(1000)
    assert 0 == queue.lacking


def test_a_bound() -> None:
    """What is beyond it counts as lacking; the first of a content stay, as what is read again begins there."""
    passed = PassedChunks()
    passed.put(0, chunks(range(PASSED_MAX - 1)))
    passed.put(0, chunks(range(PASSED_MAX - 1, PASSED_MAX + 5)))
    passed.given_up({0})
    assert SIZE * PASSED_MAX == passed.again(chunks(range(PASSED_MAX + 5)))
    passed.put(1, chunks(range(PASSED_MAX, PASSED_MAX + 2)))
    passed.given_up({1})
    assert 0 == passed.again(chunks(range(2)))
    assert 2 * SIZE == passed.again(chunks(range(PASSED_MAX, PASSED_MAX + 5)))


def test_fresh_ones_go_unasked() -> None:
    """They are sent, so they count."""
    passed = PassedChunks()
    passed.put(0, chunks(range(2)))
    passed.given_up({0})
    assert 0 == passed.again(chunks(range(2), fresh=True))


def test_its_own_names_are_no_earlier_ones() -> None:
    """Given up while it waits: what is taken of it goes for the first time, and so does the rest."""
    feed = feed_at_all_hours()
    queue = attached(feed)
    feed.content(0, chunks(range(10)))
    feed.given_up(0)
    (first,) = queue.take(4 * SIZE)
    assert (4 * SIZE, 6 * SIZE) == (first.lacking, queue.lacking)


def test_at_random(rng: random.Random) -> None:
    """Whatever is given, given up, taken and dropped: what never went is never told too low, and the sums agree."""
    for _ in range(100):
        _random_run(rng, feed_at_all_hours())


def _random_run(rng: random.Random, feed: Feed) -> None:
    queue, token, known = attached(feed), 0, set[int]()
    went: Counter[bytes] = Counter()
    taken: list[LiveItem] = []
    for _ in range(60):
        act = rng.random()
        if act < 0.5:
            token += rng.random() < 0.3
            numbers = {rng.randrange(40) for _ in range(rng.randrange(1, 12))}
            feed.content(token, [*chunks(numbers - known, fresh=True), *chunks(numbers & known)], rng.random() < 0.5)
            known |= numbers
        elif act < 0.7:
            feed.given_up(token)
            token += 1
        elif act < 0.95:
            taken = queue.take(rng.randrange(1, 20 * SIZE))
            assert all(0 <= item.lacking <= item.size for item in taken)
            went.update(chunk.name for item in taken for chunk in item.chunks)
        else:
            queue.dropped(taken)
            went.subtract(chunk.name for item in taken for chunk in item.chunks)
            taken = []
        waits = {chunk.name for content in queue._contents for chunk in content.chunks}
        never = SIZE * sum(not went[name] for name in waits)
        assert never <= queue.lacking <= queue.bytes
        assert queue.lacking == sum(content.lacking for content in queue._contents)
