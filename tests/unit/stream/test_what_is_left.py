"""What a peer lacks is never told too low, whatever is read ahead, dropped, committed or counted meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence

import pytest

from agent.core.commit import Changes
from agent.core.ids import ROOT, CommitNumber
from agent.core.rows import encode_name
from agent.stream.messages import Batch
from agent.stream.sending import live
from agent.stream.sending.batch_builder import Load
from agent.stream.sending.feed import LiveItem
from agent.stream.sending.round import backlog
from agent.stream.sending.sender import CallPhase, Sender
from agent.stream.sending.spool_round import SpooledRound
from agent.stream.sending.talk.call import Conversation
from fakes import stream_fakes
from fakes.eventually import eventually
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import CHUNK, Call, FakeSource, Primary, Secondary, noise, until_durable

Rows = Iterator[list[tuple[bytes, bytes | None, bytes | None]]]


def once(action: Callable[[], object]) -> Callable[[], None]:
    """The first call of it does that."""
    left = [action]

    def act() -> None:
        if left:
            left.pop()()

    return act


def test_content_that_is_dropped_is_left(primary: Primary, secondary: Secondary) -> None:
    """A peer that may have anything is asked later; what it lacks meanwhile is not there."""
    secondary.asks_first = True
    primary.write((b"small", b"1"), consistent=False)
    call = Call(primary, MemoryTransport(secondary))
    until_durable(call, primary)
    call.until_streaming()
    told: list[int | None] = []

    def taken() -> None:
        queue = call.sender._queue
        eventually(lambda: True if queue is not None and not queue else None)
        told.append(call.sender.behind_bytes)

    primary.write_ahead(b"large", noise(8 * CHUNK), taken)
    until_durable(call, primary)
    call.until_streaming()
    told.append(call.sender.behind_bytes)
    call.stop()
    assert [4 * CHUNK, 0] == told


def test_more_rows_than_are_looked_at(primary: Primary) -> None:
    """Then what there is more than there was is lacking at least."""
    first = primary.write((b"first", noise(1000)))
    newest = primary.write(*((b"f%d" % n, noise(1000, n)) for n in range(1000)))
    source = primary.source()
    assert 1_000_000 == backlog(source, first.number, newest, most=100)
    source.close()


def test_a_commit_whose_content_began_before_the_call(
    primary: Primary, secondary: Secondary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes during the last round, and waits in the queue when streaming begins: its content is left until then."""
    large, id = noise(8 * CHUNK), primary.catalog.allocate()
    row, found, pieces = primary._row(id, large)
    primary.write((b"small", noise(100)))
    primary.disk[id], primary.names[b"large"] = large, id
    primary.feed.content(1, found)
    put = Changes([row, encode_name(ROOT, b"large", id)])
    primary.before_read = once(lambda: primary._commit(put, [], pieces, True, [(1, id)]))
    told: list[int | None] = []
    ask, calls = live.ask_for_missing, list[Call]()

    def watched(
        talk: Conversation, load: Load, items: Sequence[LiveItem], *, everything: bool = False
    ) -> Generator[Batch, None, set[bytes]]:
        if calls and calls[0].sender.phase is CallPhase.STREAMING:
            told.append(calls[0].sender.behind_bytes)
        return ask(talk, load, items, everything=everything)

    monkeypatch.setattr(live, "ask_for_missing", watched)
    calls.append(Call(primary, MemoryTransport(secondary)))
    until_durable(calls[0], primary)
    calls[0].stop()
    assert told
    assert all(one is not None and one >= len(large) for one in told)


def test_a_second_pass_of_the_spool(primary: Primary, secondary: Secondary, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was captured during the first one is left from the beginning of the second on."""
    told: dict[tuple[CommitNumber, CommitNumber], int | None] = {}
    senders: list[Sender] = []

    class Watching(FakeSource):
        def difference(self, a: CommitNumber, b: CommitNumber) -> Rows:
            if senders and isinstance(senders[0]._round, SpooledRound):
                told.setdefault((a, b), senders[0].behind_bytes)
            return super().difference(a, b)

    def spooled(*args: object, **more: object) -> Sender:
        senders.append(make(*args, **more))  # type: ignore[arg-type]
        senders[0]._rounds.by_spool = True
        return senders[0]

    def during_the_first() -> None:
        primary.change_unseen(b"a", noise(4 * CHUNK, 2))
        primary.write((b"big", noise(40 * CHUNK, 3)))

    make = stream_fakes.make_sender
    monkeypatch.setattr(stream_fakes, "make_sender", spooled)
    primary.make_source = Watching
    first = primary.write((b"a", noise(4 * CHUNK, 1)))
    primary.before_read = once(during_the_first)
    call = Call(primary, MemoryTransport(secondary))
    until_durable(call, primary)
    call.stop()
    (second,) = [left for (a, _), left in told.items() if a == first.number]
    assert second is not None
    assert second >= 44 * CHUNK
