"""The queue of each peer: bounds, room, tokens."""

from __future__ import annotations

import threading
from pathlib import Path

from agent.capture.outlet import ReadChunk, Room
from agent.core.commit import Changes, Commit
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.store.spool import Spool
from agent.stream.sending.feed import FIRST_CALLS, Feed, LiveCommit, LiveContent
from fakes.eventually import eventually
from fakes.idle import feed_at_all_hours

COMMIT = Commit(CommitNumber(1), NOTHING, b"d" * 32, 0, 0, True, 0, 0)


def chunk(size: int) -> ReadChunk:
    """A chunk of so many bytes."""
    return ReadChunk(b"n" * 32, 0, bytes(size), True)


def give(feed: Feed, size: int, ahead: tuple[tuple[int, ObjectId], ...] = ()) -> None:
    """A commit of so many bytes."""
    feed.commit(COMMIT, Changes(), [chunk(size)], ahead)


def nothing() -> None:
    """Nobody to wake."""


def none() -> int:
    """Nothing that was taken has not gone out."""
    return 0


def test_every_peer_gets_everything() -> None:
    """Two queues, the same items, each taken by itself."""
    feed = feed_at_all_hours()
    one, two = feed.attach("one", nothing, none), feed.attach("two", nothing, none)
    give(feed, 10)
    assert [1, 0, 1] == [len(one.take(100)), len(one.take(100)), len(two.take(100))]


def test_overflow_detaches() -> None:
    """Who cannot follow loses the queue and is told; the others stay."""
    feed = feed_at_all_hours(100)
    slow, quick = feed.attach("slow", nothing, none), feed.attach("quick", nothing, none)
    for _ in range(3):
        give(feed, 40)
        quick.take(100)
    assert (True, 0, False) == (slow.overflowed, slow.bytes, quick.overflowed)
    give(feed, 1)
    assert not slow


def test_one_item_larger_than_the_queue() -> None:
    """It passes when the queue is empty."""
    feed = feed_at_all_hours(100)
    queue = feed.attach("one", nothing, none)
    give(feed, 1000)
    assert 1 == len(queue.take(1))


def test_room() -> None:
    """Only streaming peers are waited for, and one with room is enough."""
    feed = feed_at_all_hours(100)
    queue = feed.attach("one", nothing, none)
    give(feed, 80)
    assert feed.has_room(0)
    queue.streaming = True
    assert not feed.has_room(0)
    other = feed.attach("other", nothing, none)
    other.streaming = True
    assert feed.has_room(0)


def test_nobody_waits_for_other_hours() -> None:
    """A full queue of a peer to whom nothing may be sent now holds up nobody; one to whom something may still does."""
    closed = {"night"}
    feed = Feed(closed.__contains__, limit=100)
    for name in ("night", "day"):
        feed.attach(name, nothing, none).streaming = name == "night"
    give(feed, 80)
    assert feed.has_room(0)
    feed.attach("more", nothing, none).streaming = True
    assert feed.has_room(0)
    give(feed, 80)
    assert not feed.has_room(0)
    closed.add("more")
    assert feed.has_room(0)


def test_room_is_waited_for() -> None:
    """Taking wakes who waits for room."""
    feed = feed_at_all_hours(100)
    queue = feed.attach("one", nothing, none)
    queue.streaming = True
    give(feed, 80)
    result: list[bool] = []
    thread = threading.Thread(target=lambda: result.append(feed.has_room(10)))
    thread.start()
    queue.take(100)
    thread.join()
    assert [True] == result


def test_the_first_calls_are_waited_for() -> None:
    """Each that is attached, or whose call came to nothing, is waited for no longer; one that hangs is not for ever."""
    feed = feed_at_all_hours()
    feed.calls(["beta", "gamma"])
    assert not feed.has_room(0.0)
    feed.attach("beta", nothing, none)
    assert not feed.has_room(0.0)
    result: list[bool] = []
    thread = threading.Thread(target=lambda: result.append(feed.has_room(FIRST_CALLS)))
    thread.start()
    feed.called("gamma")
    thread.join()
    assert [True] == result
    feed.calls(["beta"])
    assert not feed.has_room(0.0)
    assert eventually(lambda: feed.has_room(0.0), 10 * FIRST_CALLS)


def test_content_that_began_before_is_not_covered() -> None:
    """A file whose first slices were given before the peer came is named with its commit, and is nothing that the peer could
    write as it comes."""
    feed = feed_at_all_hours()
    early = feed.attach("early", nothing, none)
    feed.content(1, [chunk(1)], is_new=True)
    late = feed.attach("late", nothing, none)
    feed.content(1, [chunk(1)], is_new=True)
    feed.content(2, [chunk(1)], is_new=True)
    give(feed, 1, ((1, ObjectId(11)), (2, ObjectId(12))))
    items = late.take(1000)
    assert [(ObjectId(11),)] == [item.uncovered for item in items if isinstance(item, LiveCommit)]
    whole = [[item.is_new for item in taken if isinstance(item, LiveContent)] for taken in (early.take(1000), items)]
    assert [[True, True, True], [False, True]] == whole


def test_a_small_commit_passes_large_content() -> None:
    """Content that a commit does not name waits for it; what it names goes before it, and commits keep their order."""
    feed = feed_at_all_hours()
    queue = feed.attach("one", nothing, none)
    feed.content(1, [chunk(50)])
    feed.content(1, [chunk(51)])
    give(feed, 1)
    feed.content(2, [chunk(60)])
    assert queue.has_commit
    give(feed, 2, ((1, ObjectId(11)),))
    give(feed, 3)
    taken = [item.size for _ in range(6) for item in queue.take(1)]
    assert [1, 50, 51, 2, 3, 60] == taken
    assert (False, 0) == (queue.has_commit, queue.bytes)


def test_a_queue_that_spills_holds_nothing(tmp_path: Path) -> None:
    """Chunks are in the spool, rows nowhere; once that is full, the queue has ended, and so has what it took."""
    feed = feed_at_all_hours()
    spool = Spool.open(str(tmp_path), limit=100)
    queue = feed.attach("one", nothing, none, spool)
    give(feed, 60)
    assert (False, 0, 60) == (bool(queue), queue.bytes, spool.size)
    feed.content(1, [ReadChunk(b"m" * 32, 0, bytes(60), True)])
    give(feed, 10)
    assert (True, 60) == (queue.overflowed, spool.size)
    spool.close()


def test_a_queue_that_was_given_up() -> None:
    """It lets go of what waits, and takes no more."""
    feed = feed_at_all_hours()
    queue = feed.attach("one", nothing, none)
    give(feed, 10)
    queue.give_up()
    give(feed, 10)
    assert (True, 0, []) == (queue.overflowed, queue.bytes, queue.take(100))
    assert 20 == feed.given


def test_nobody_is_attached() -> None:
    """Nothing is kept for peers that are away."""
    feed = feed_at_all_hours()
    give(feed, 10)
    assert not feed.attach("one", nothing, none)


def test_content_is_taken_in_parts_that_fit_the_link() -> None:
    """Between two of them a commit goes out; nothing is lost, and the order stays."""
    feed = feed_at_all_hours()
    queue = feed.attach("one", nothing, none)
    chunks = [ReadChunk(bytes([at]) * 32, 0, bytes(10), True) for at in range(7)]
    feed.content(1, chunks, is_new=True)
    first = queue.take(20)
    give(feed, 5)
    taken = [first, *(queue.take(limit) for limit in (5, 15, 20, 20))]
    assert [[20], [5], [20], [20], [10]] == [[item.size for item in items] for items in taken]
    assert chunks == [
        chunk for items in taken for item in items if isinstance(item, LiveContent) for chunk in item.chunks
    ]


def test_what_was_given_before_a_queue_was_there() -> None:
    """It lacks until a commit has it, and is brought in another way then; so it does until it is given up."""
    feed = feed_at_all_hours()
    feed.content(0, [chunk(10)])
    feed.content(1, [chunk(20)])
    feed.content(1, [chunk(30)])
    queue = feed.attach("one", nothing, none)
    feed.content(1, [chunk(5)])
    assert (60, 5) == (queue.missed, queue.bytes)
    give(feed, 7)
    assert 50 == queue.missed, "the first file was given up: another one was read, and no commit has it"
    give(feed, 7, ((1, ObjectId(2)),))
    assert 50 == queue.missed, "it is not there yet"
    queue.settled(CommitNumber(0))
    assert 50 == queue.missed, "nor is it in what a round brings that began before"
    queue.settled(COMMIT.number)
    assert 0 == queue.missed
    assert COMMIT == feed.newest


def test_what_was_put_before_a_peer_passed_over_follows_nothing() -> None:
    """Nor does the rest of a file of which a part was put then; nor what began before the queue."""
    feed = feed_at_all_hours()
    feed.content(1, [chunk(10)])
    queue = feed.attach("one", nothing, none)
    assert [False, True] == [queue.follows(token) for token in (1, 2)]
    feed.content(2, [chunk(10)])
    queue.passed_over()
    feed.content(2, [chunk(10)])
    feed.content(3, [chunk(10)])
    assert [False, True] == [queue.follows(token) for token in (2, 3)]


def test_the_room_of_a_slow_link_is_before_the_next_commit() -> None:
    """Commits that wait, what they name, and what was taken and has not gone out take of it; content that they pass does not."""
    unsaid = [0]
    feed = feed_at_all_hours()
    queue = feed.attach("one", nothing, lambda: unsaid[0])
    queue.streaming = True
    assert feed.room() is None, "it is not known how slow"
    queue.moment = 100
    feed.content(1, [chunk(500)])
    assert Room(100, 100) == feed.room()
    give(feed, 7)
    unsaid[0] = 20
    assert Room(100, 73) == feed.room()
    give(feed, 3, ((1, ObjectId(11)),))
    assert Room(100, 100 - 510 - 20) == feed.room()
    assert [7] == [item.size for item in queue.take(1)]
    assert Room(100, 100 - 503 - 20) == feed.room()
    assert 2 == len(queue.take(1000))
    assert Room(100, 80) == feed.room()
