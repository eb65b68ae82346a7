"""Both state machines joined in memory: first sync, live commits, catching up, broken lineages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from agent.core import chunks
from agent.core.commit import Position
from agent.core.ids import NOTHING, CommitNumber, Epoch
from agent.core.rows import decode_object
from agent.store.vault.codec import pack_chunk
from agent.stream.messages import CREDIT, VERSION, Data, Offer, Progress, Seal, Welcome, Withdraw
from agent.stream.position import Level, PositionBoard
from agent.stream.sending.talk.refusals import RefusedByPeer
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import (
    CHUNK,
    Call,
    MendingReceiver,
    Primary,
    Secondary,
    digest_of,
    make_sender,
    noise,
    sync,
    until_durable,
)


def payload_of(transport: MemoryTransport) -> int:
    """Bytes of content that were sent; lists of chunks are none."""
    sent = (part for batch in transport.up for part in batch if isinstance(part, Data))
    return sum(length for part in sent for kind, length in zip(part.kinds, part.raw_lengths, strict=True) if not kind)


def test_first_sync_from_an_existing_catalog(primary: Primary, secondary: Secondary) -> None:
    """A peer that holds nothing gets the whole state by catchup, each byte once."""
    primary.write(*((b"f%d" % n, noise(10_000, n)) for n in range(20)))
    transport = MemoryTransport(secondary)
    sync(primary, transport)
    assert (digest_of(primary), 200_000) == (secondary.digest(), payload_of(transport))


def test_live_commits(primary: Primary, secondary: Secondary) -> None:
    """Commits that are captured while the peer streams arrive one by one, and the source is not read."""
    transport = MemoryTransport(secondary)
    call = Call(primary, transport)
    call.until_streaming()
    for n in range(30):
        primary.write((b"f%d" % (n % 7), noise(9000, n)))
    until_durable(call, primary)
    call.stop()
    assert (None, digest_of(primary), []) == (call.failure, secondary.digest(), primary.reads)


def test_a_call_that_has_ended_vouches_for_nothing_applied(primary: Primary, secondary: Secondary) -> None:
    """That machine may have lost its power; what it had as durable it has."""
    number = primary.write((b"f", b"1")).number
    call = Call(primary, MemoryTransport(secondary))
    call.until_streaming()
    until_durable(call, primary)
    secondary.board.applied(number)
    primary.write((b"f", b"2"))
    assert call.board.wait(Level.APPLIED, number, 20)
    call.stop()
    call.sender.release()
    assert (True, False) == (call.board.wait(Level.DURABLE, number, 0), call.board.wait(Level.APPLIED, number, 0))


def test_small_live_commit_is_one_batch(primary: Primary, secondary: Secondary) -> None:
    """Chunks, rows and seal of a small commit travel together."""
    primary.write((b"f", b"1"))
    transport = MemoryTransport(secondary)
    call = Call(primary, transport)
    call.until_streaming()
    before = len(transport.up)
    primary.write((b"f", b"2"))
    until_durable(call, primary)
    call.stop()
    assert [[Data, Offer, Seal]] == [[type(part) for part in batch] for batch in transport.up[before:]]


def test_every_commit_is_kept(primary: Primary, secondary: Secondary) -> None:
    """Live commits become the same commits on the other side, with the same digests."""
    call = Call(primary, MemoryTransport(secondary))
    call.until_streaming()
    for n in range(5):
        primary.write((b"f", noise(100, n)), consistent=n > 2)
    until_durable(call, primary)
    call.stop()
    ours = [(c.number, c.digest, c.consistent, c.entries, c.bytes) for c in primary.catalog.commits(NOTHING, 100)]
    theirs = [(c.number, c.digest, c.consistent, c.entries, c.bytes) for c in secondary.catalog.commits(NOTHING, 100)]
    assert ours == theirs


def test_catchup_after_being_away(primary: Primary, secondary: Secondary) -> None:
    """What happened meanwhile arrives as one difference; what the peer has is not sent again."""
    primary.write(*((b"f%d" % n, noise(CHUNK, n)) for n in range(10)))
    sync(primary, MemoryTransport(secondary))
    primary.write((b"f1", noise(CHUNK, 100)))
    primary.remove(b"f2")
    primary.write((b"f3", noise(CHUNK, 3)), (b"copy", noise(CHUNK, 4)))
    transport = MemoryTransport(secondary)
    sync(primary, transport)
    assert (digest_of(primary), CHUNK) == (secondary.digest(), payload_of(transport))


def test_file_changes_while_catching_up(primary: Primary, secondary: Secondary) -> None:
    """Bytes that are gone are captured again; the rows that named them are withdrawn."""
    primary.write(*((b"f%d" % n, noise(5 * CHUNK, n)) for n in range(5)))
    primary.change_unseen(b"f3", noise(5 * CHUNK, 33))
    transport = MemoryTransport(secondary)
    sync(primary, transport)
    withdrawn = [part for batch in transport.up for part in batch if isinstance(part, Withdraw)]
    expected = (digest_of(primary), 1, [primary.names[b"f3"]])
    assert expected == (secondary.digest(), len(withdrawn), primary.forced)


def test_file_never_rests_while_catching_up(primary: Primary, secondary: Secondary) -> None:
    """A file that changes at every read arrives all the same, by way of the live queue."""
    primary.write((b"log", b"0"), (b"other", noise(100)))
    count = iter(range(1, 1000))
    primary.before_read = lambda: primary.change_unseen(b"log", b"%d" % next(count))
    sync(primary, MemoryTransport(secondary))
    assert digest_of(primary) == secondary.digest()


def test_commits_while_catching_up(primary: Primary, secondary: Secondary) -> None:
    """What is captured during a round follows it."""
    primary.write(*((b"f%d" % n, noise(CHUNK, n)) for n in range(10)))
    seeds = iter(range(1000, 1003))

    def write_more() -> None:
        for seed in seeds:
            primary.write((b"more%d" % seed, noise(3 * CHUNK, seed)))

    primary.before_read = write_more
    sync(primary, MemoryTransport(secondary))
    assert digest_of(primary) == secondary.digest()


def test_queue_fills_while_catching_up(tmp_path: Path, secondary: Secondary) -> None:
    """More live data than the queue holds: its chunks go out between offers, or the peer starts over; nothing is lost."""
    primary = Primary(tmp_path / "small", limit=40 * CHUNK)
    primary.write(*((b"f%d" % n, noise(CHUNK, n)) for n in range(10)))
    seeds = iter(range(1000, 1030))

    def write_more() -> None:
        for seed in [next(seeds, None) for _ in range(10)]:
            if seed is not None:
                primary.write((b"more%d" % seed, noise(7 * CHUNK, seed)))

    primary.before_read = write_more
    sync(primary, MemoryTransport(secondary))
    assert digest_of(primary) == secondary.digest()
    primary.close()


def test_long_chunk_list(primary: Primary, secondary: Secondary) -> None:
    """A file whose list is cut into pieces arrives, by catchup and live; one edit costs little."""
    data = noise(1500 * CHUNK)
    primary.write((b"big", data))
    sync(primary, MemoryTransport(secondary))
    transport = MemoryTransport(secondary)
    call = Call(primary, transport)
    call.until_streaming()
    edited = noise(CHUNK, 9) + data[CHUNK:]
    primary.write((b"big", edited))
    until_durable(call, primary)
    call.stop()
    assert digest_of(primary) == secondary.digest()
    assert payload_of(transport) < 100 * CHUNK


def test_content_ahead_of_its_commit(primary: Primary, secondary: Secondary) -> None:
    """Large content may come before; the commit that names it brings rows only."""
    primary.write((b"f", b"1"))
    transport = MemoryTransport(secondary)
    call = Call(primary, transport)
    call.until_streaming()
    sent = primary.write_ahead(b"big", noise(30 * CHUNK))
    until_durable(call, primary)
    call.stop()
    assert (digest_of(primary), sent + 1) == (secondary.digest(), payload_of(transport))


def test_content_that_began_before_the_peer_came(primary: Primary, secondary: Secondary) -> None:
    """What a newly attached peer has missed of a large file is offered and read again."""
    primary.write((b"f", b"1"))
    transport = MemoryTransport(secondary)
    calls: list[Call] = []

    def attach() -> None:
        calls.append(Call(primary, transport))
        calls[0].until_streaming()

    primary.write_ahead(b"big", noise(40 * CHUNK), between=attach)
    until_durable(calls[0], primary)
    calls[0].stop()
    assert (None, digest_of(primary)) == (calls[0].failure, secondary.digest())


def test_higher_epoch_starts_over(tmp_path: Path, secondary: Secondary) -> None:
    """A primary without its catalog takes the next epoch; the peer's state is replaced, its history kept, no chunk sent twice."""
    old = Primary(tmp_path / "old")
    old.write((b"same", noise(CHUNK)), (b"gone", b"1"))
    sync(old, MemoryTransport(secondary))
    old.close()
    new = Primary(tmp_path / "new", Epoch(2, "alpha", b"2" * 16))
    new.write((b"same", noise(CHUNK)))
    transport = MemoryTransport(secondary)
    sync(new, transport)
    numbers = [commit.number >> 40 for commit in secondary.catalog.commits(NOTHING, 10)]
    assert (digest_of(new), [1, 2], 0) == (secondary.digest(), numbers, payload_of(transport))
    new.close()


def test_unknown_dataset_is_refused(primary: Primary, secondary: Secondary) -> None:
    """Only the configured primary is served."""
    secondary.primary = "gamma"
    call = Call(primary, MemoryTransport(secondary))
    call.join()
    assert isinstance(call.failure, RefusedByPeer)
    assert "not-primary" == call.failure.code


def test_applied_position_comes_back(primary: Primary, secondary: Secondary) -> None:
    """What the applier has reached is told to the primary although nothing else is said."""
    commit = primary.write((b"f", b"1"))
    call = Call(primary, MemoryTransport(secondary))
    until_durable(call, primary)
    secondary.board.applied(commit.number)
    assert call.board.wait(Level.APPLIED, commit.number, 40)
    call.stop()


def test_newer_call_replaces_the_older(primary: Primary, secondary: Secondary) -> None:
    """A call that hangs does not keep its successor out."""
    primary.write((b"f", b"1"))
    first = Call(primary, MemoryTransport(secondary))
    until_durable(first, primary)
    second = Call(primary, MemoryTransport(secondary))
    first.join()
    primary.write((b"f", b"2"))
    until_durable(second, primary)
    second.stop()
    assert (True, None) == (first.failure is not None, second.failure)


def test_everything_dropped(primary: Primary, secondary: Secondary) -> None:
    """A commit that only drops is a commit like any other."""
    primary.write((b"f", b"1"))
    call = Call(primary, MemoryTransport(secondary))
    until_durable(call, primary)
    primary.remove(b"f")
    until_durable(call, primary)
    call.stop()
    assert digest_of(primary) == secondary.digest()


def test_vault_holds_what_was_sent(primary: Primary, secondary: Secondary) -> None:
    """Every chunk can be read back under its name after a reopening."""
    data = noise(CHUNK, 5)
    primary.write((b"f", data))
    sync(primary, MemoryTransport(secondary))
    secondary.close()
    secondary.open()
    assert data == secondary.vault.read(chunks.name_of(data))


def test_rows_as_large_as_they_may_be(primary: Primary, secondary: Secondary) -> None:
    """Attributes may make a row of megabytes; it still fits a message."""
    call = Call(primary, MemoryTransport(secondary))
    call.until_streaming()
    primary.write((b"f", noise(900_000)), xattrs=tuple((b"user.%02d" % n, bytes(65536)) for n in range(48)))
    until_durable(call, primary)
    call.stop()
    assert (None, digest_of(primary)) == (call.failure, secondary.digest())


def chunk_names(data: bytes) -> list[bytes]:
    """The names of a file's chunks."""
    return [chunks.name_of(data[at : at + CHUNK]) for at in range(0, len(data), CHUNK)]


def test_chunks_that_the_peer_has_lost_are_sent_again(primary: Primary, secondary: Secondary) -> None:
    """A peer that says so is offered every name and no rows; only what it lacks is sent, chunk lists included."""
    large = noise(3000 * CHUNK, 3)
    primary.write((b"small", b"1"), (b"large", large))
    sync(primary, MemoryTransport(secondary))
    lists = [name for _, name in chunks.names_in(object_content(primary, b"large"))]
    lost = [chunk_names(large)[7], chunks.name_of(b"1"), lists[0]]
    secondary.vault.forget(lost)
    secondary.lacking = True
    transport = MemoryTransport(secondary)
    call = Call(primary, transport)
    call.until_streaming()
    primary.write((b"later", b"2"))
    until_durable(call, primary)
    call.stop()
    assert isinstance(secondary.receiver, MendingReceiver)
    assert ([], 0) == (secondary.vault.missing(lost), secondary.receiver.left)
    rows = [part.rows for batch in transport.up for part in batch if isinstance(part, Offer) and part.rows]
    assert 1 == len(rows)
    assert digest_of(primary) == secondary.digest()


def test_what_has_changed_since_cannot_be_sent_again(primary: Primary, secondary: Secondary) -> None:
    """A lost chunk that the primary's file does not hold any more is counted; replication goes on."""
    primary.write((b"file", noise(CHUNK)), (b"other", b"1"))
    sync(primary, MemoryTransport(secondary))
    secondary.vault.forget(chunk_names(noise(CHUNK)))
    secondary.lacking = True
    primary.change_unseen(b"file", noise(CHUNK, 2))
    call = Call(primary, MemoryTransport(secondary))
    call.until_streaming()
    primary.capture([primary.names[b"file"]])
    until_durable(call, primary)
    call.stop()
    assert isinstance(secondary.receiver, MendingReceiver)
    assert (1, digest_of(primary)) == (secondary.receiver.left, secondary.digest())


def test_a_seal_whose_chunks_are_lost_is_told_apart(primary: Primary, secondary: Secondary) -> None:
    """Metadata of a file changes whose content was lost: refused with words that say so, nothing is committed."""
    primary.write((b"file", b"content"))
    sync(primary, MemoryTransport(secondary))
    before = secondary.digest()
    secondary.vault.forget([chunks.name_of(b"content")])
    primary.write((b"file", b"content"), xattrs=((b"user.a", b"1"),))
    call = Call(primary, MemoryTransport(secondary))
    call.join()
    assert isinstance(call.failure, RefusedByPeer)
    assert ("protocol", True) == (call.failure.code, "are not here" in call.failure.reason)
    assert before == secondary.digest()


def object_content(primary: Primary, name: bytes) -> bytes:
    """The chunk list in a file's row."""
    raw = primary.catalog.object(primary.names[name])
    assert raw is not None
    return decode_object(raw).content


def test_a_call_that_brought_the_peer_up_to_date_says_so(primary: Primary, secondary: Secondary) -> None:
    """So that the next attempt after it need not wait; one that ends before has not."""
    primary.write((b"file", b"content"))
    cut = Call(primary, MemoryTransport(secondary, cut_up=1))
    cut.join()
    whole = sync(primary, MemoryTransport(secondary))
    assert (False, True) == (cut.sender.caught_up, whole.sender.caught_up)


def test_what_was_given_before_the_call_is_left_until_it_is_there(primary: Primary, secondary: Secondary) -> None:
    """Half of a large file was read when the peer comes, and no commit names it: it streams, and lacks that half. Nothing is told
    of what it lacks before it was looked at."""
    assert make_sender(primary).behind_bytes is None
    primary.write((b"small", b""))
    calls: list[Call] = []
    lacks: list[int | None] = []

    def begin() -> None:
        calls.append(Call(primary, MemoryTransport(secondary)))
        until_durable(calls[0], primary)
        calls[0].until_streaming()
        lacks.append(calls[0].sender.behind_bytes)

    primary.write_ahead(b"large", noise(8 * CHUNK), begin)
    until_durable(calls[0], primary)
    calls[0].until_streaming()
    lacks.append(calls[0].sender.behind_bytes)
    calls[0].stop()
    assert [4 * CHUNK, 0] == lacks


def test_a_call_that_nobody_reads_any_more_gets_nothing_more(primary: Primary) -> None:
    """A transport that has ended may leave the iterator where it stands: its queue must not fill and hold up capture."""
    primary.write((b"file", b"content"))
    sender = make_sender(primary)
    outgoing = sender.outgoing()
    next(outgoing)
    sender.incoming((Welcome("beta", primary.epoch, NOTHING, b"", NOTHING, 1 << 20, VERSION),))
    next(outgoing)
    queue = sender._queue
    sender.release()
    primary.write((b"file", noise(100_000)))
    assert queue is not None
    assert (0, None) == (queue.bytes, sender.behind_bytes)


def keep(secondary: Secondary, *contents: bytes) -> None:
    """Put content into the vault as if it had been here before, cut as the primary cuts."""
    for data in contents:
        for at in range(0, len(data), CHUNK):
            part = data[at : at + CHUNK]
            secondary.vault.add([pack_chunk(chunks.name_of(part), chunks.DATA, part)], [part])


def asked_of(transport: MemoryTransport) -> int:
    """Names that travelled as such."""
    return sum(len(part.asked) for batch in transport.up for part in batch if isinstance(part, Offer))


def test_a_peer_that_may_have_anything_is_asked_first(primary: Primary, secondary: Secondary) -> None:
    """New files that are captured while it streams: what it has does not travel, rows imply the names; once a consistent
    commit is sealed, what is new rides along again."""
    here, new = noise(100_000, 1), noise(50_000, 2)
    keep(secondary, here)
    secondary.asks_first = True
    transport = MemoryTransport(secondary)
    call = Call(primary, transport)
    call.until_streaming()
    primary.write((b"here", here), consistent=False)
    until_durable(call, primary)
    primary.write((b"new", new))
    until_durable(call, primary)
    assert (len(new), 0) == (payload_of(transport), asked_of(transport))
    primary.write((b"later", noise(70_000, 3)))
    until_durable(call, primary)
    call.stop()
    assert (digest_of(primary), 120_000) == (secondary.digest(), payload_of(transport))
    assert None is call.failure


def test_large_content_for_a_peer_that_is_asked_first(primary: Primary, secondary: Secondary) -> None:
    """Content ahead of its commit is dropped and asked for; of a file during which the peer became consistent, the rest rides."""
    here = noise(200_000, 4)
    keep(secondary, here, b"1", b"2")
    secondary.asks_first = True
    transport = MemoryTransport(secondary)
    call = Call(primary, transport)
    call.until_streaming()
    primary.write((b"first", b"1"), consistent=False)

    def becomes_consistent() -> None:
        primary.write((b"second", b"2"))
        until_durable(call, primary)

    primary.write_ahead(b"large", here, becomes_consistent)
    until_durable(call, primary)
    rest = payload_of(transport)
    primary.write_ahead(b"more", noise(30 * CHUNK, 5))
    until_durable(call, primary)
    call.stop()
    assert rest <= len(here) // 2 + CHUNK
    assert (digest_of(primary), rest + 30 * CHUNK, None) == (secondary.digest(), payload_of(transport), call.failure)


class Overtaken(PositionBoard):
    """A board on which the first to tell is held up until another has told, or can not."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], None] = lambda: None
        self._told = threading.Event()
        self._other: threading.Thread | None = None

    def publish(self, durable: CommitNumber | None = None, applied: CommitNumber | None = None) -> None:
        if self._other is None:
            self._other = threading.Thread(target=self.meanwhile)
            self._other.start()
            self._told.wait(0.2)
            super().publish(durable, applied)
        else:
            super().publish(durable, applied)
            self._told.set()

    def join(self) -> None:
        assert self._other is not None
        self._other.join()


def test_who_is_overtaken_tells_no_older_position(primary: Primary) -> None:
    """The speaker tells the welcome's position, the hearer a newer one meanwhile: that one stands in the end."""
    commit = primary.write((b"f", b"1"))
    primary.write((b"f", b"2"))
    board = Overtaken()
    sender = make_sender(primary, board)
    outgoing = sender.outgoing()
    next(outgoing)
    number = commit.number
    sender.incoming((Welcome("beta", primary.epoch, number, commit.digest, NOTHING, CREDIT, VERSION),))
    board.meanwhile = lambda: sender.incoming((Progress(Position(number, number), 0),))
    next(outgoing)
    board.join()
    outgoing.close()  # type: ignore[attr-defined]  # a generator
    assert Position(number, number) == board.position
