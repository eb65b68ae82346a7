"""A peer whose commit the primary does not know any more: it alone is brought up, in the same epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent.core.ids import NOTHING, CommitNumber, Epoch, commit_number
from agent.core.rows import key_of
from agent.store.catalog.row_tables import Difference
from agent.stream.messages import HEARTBEAT, Data, Heartbeat, Need, Offer, PrimaryPart
from fakes.hostile import BASE, ONE, TWO, offer, refused, seal, take, with_base
from fakes.memory_link import MemoryTransport
from fakes.store_fakes import expire
from fakes.stream_fakes import (
    CHUNK,
    Call,
    FakeSource,
    Primary,
    Secondary,
    digest_of,
    noise,
    sync,
    until_durable,
)


def parts_of(transport: MemoryTransport) -> list[PrimaryPart]:
    """All that was sent."""
    return [part for batch in transport.up for part in batch]


def payload_of(transport: MemoryTransport) -> int:
    """Bytes of chunks that were sent, in the clear."""
    return sum(sum(part.raw_lengths) for part in parts_of(transport) if isinstance(part, Data))


def away(primary: Primary, secondary: Secondary, files: int = 30) -> None:
    """The secondary has some files; then most go on as they are, one changes, one goes, one comes, and that is pruned here."""
    primary.write(*((b"f%d" % n, noise(CHUNK, n)) for n in range(files)))
    sync(primary, MemoryTransport(secondary))
    primary.write((b"f1", noise(CHUNK, 1001)))
    primary.remove(b"f2")
    newest = primary.write((b"new", noise(CHUNK, 1002)))
    expire(primary.catalog, newest.number)


def test_away_longer_than_history(primary: Primary, secondary: Secondary) -> None:
    """All rows go and only what differs is asked for; the first seal names what the peer had, and its past stays."""
    away(primary, secondary)
    old = secondary.catalog.newest()
    assert old is not None
    before = [key_of(row) for rows in secondary.catalog.rows_at(old.number) for row in rows]
    transport = MemoryTransport(secondary)
    call = sync(primary, transport)
    newest = secondary.catalog.newest()
    assert newest is not None
    assert (None, digest_of(primary), old.number) == (call.failure, newest.digest, newest.parent)
    asked = [name for part in parts_of(transport) if isinstance(part, Offer) for name in part.asked]
    assert (2, 2 * CHUNK) == (len(asked), payload_of(transport))
    assert before == [key_of(row) for rows in secondary.catalog.rows_at(old.number) for row in rows]
    difference = [row for rows in secondary.catalog.difference(old.number, newest.number) for row in rows]
    assert 5 == len(difference)


class SlowSource(FakeSource):
    """Each page of rows takes long to read."""

    def difference(self, a: CommitNumber, b: CommitNumber) -> Iterator[list[Difference]]:
        for page in super().difference(a, b):
            self._primary.clock.advance(HEARTBEAT)
            yield page


def test_the_peer_is_not_left_in_silence_where_little_differs(primary: Primary, secondary: Secondary) -> None:
    """A great tree is gone through for a few rows: it hears that we are there."""
    away(primary, secondary, files=500)
    primary.make_source = SlowSource
    transport = MemoryTransport(secondary)
    sync(primary, transport)
    assert digest_of(primary) == secondary.digest()
    assert sum(isinstance(part, Heartbeat) for part in parts_of(transport)) >= 1000 // 50


def test_it_streams_on_after_it(primary: Primary, secondary: Secondary) -> None:
    """What is captured then is a live commit like any other."""
    away(primary, secondary)
    call = Call(primary, MemoryTransport(secondary))
    until_durable(call, primary)
    call.until_streaming()
    primary.write((b"later", b"1"))
    until_durable(call, primary)
    call.stop()
    assert (None, digest_of(primary)) == (call.failure, secondary.digest())


def test_a_commit_of_an_earlier_reign_that_never_came_here(tmp_path: Path, secondary: Secondary) -> None:
    """Another node was made primary of what it had: a peer that had more goes on from there, in the new epoch."""
    old = Primary(tmp_path / "old")
    old.write((b"a", noise(CHUNK)), (b"b", b"2"))
    promoted = Secondary(tmp_path / "promoted")
    sync(old, MemoryTransport(promoted))
    old.write((b"never", b"3"))
    sync(old, MemoryTransport(secondary))
    promoted.close()
    new = Primary(tmp_path / "promoted", Epoch(2, "alpha", b"2" * 16))
    new.names, new.disk = dict(old.names), dict(old.disk)
    new.write((b"c", b"4"))
    transport = MemoryTransport(secondary)
    sync(new, transport)
    theirs = secondary.catalog.newest()
    assert theirs is not None
    assert (digest_of(new), commit_number(1, 2)) == (secondary.digest(), theirs.parent)
    assert payload_of(transport) < CHUNK
    new.close()
    old.close()


@pytest.mark.parametrize("cut", range(12))
@pytest.mark.parametrize("up", [True, False])
def test_the_link_is_cut(cut: int, up: bool, primary: Primary, secondary: Secondary) -> None:
    """At any batch, either way: nothing of it is seen, and the next call brings it, without what came before."""
    away(primary, secondary, files=200)
    primary.write(*((b"more%d" % n, noise(CHUNK, 2000 + n)) for n in range(200)))
    old = secondary.digest()
    transport = MemoryTransport(secondary, cut_up=cut if up else None, cut_down=None if up else cut)
    call = Call(primary, transport)
    for _ in range(1000):
        if call.sender.talk.watch(0.01) or secondary.digest() == digest_of(primary):
            break
    call.stop()
    assert secondary.digest() in (old, digest_of(primary))
    carried = payload_of(transport)
    again = MemoryTransport(secondary)
    sync(primary, again)
    assert digest_of(primary) == secondary.digest()
    assert payload_of(again) <= 202 * CHUNK
    assert carried + payload_of(again) < 2 * 202 * CHUNK


def test_a_file_changes_meanwhile(primary: Primary, secondary: Secondary) -> None:
    """Its rows are withdrawn, captured anew, and the whole goes again: only what is lacking travels."""
    away(primary, secondary)
    primary.change_unseen(b"new", noise(CHUNK, 7))
    transport = MemoryTransport(secondary)
    sync(primary, transport)
    assert digest_of(primary) == secondary.digest()
    assert payload_of(transport) <= 3 * CHUNK


def test_a_peer_that_is_behind_gets_the_whole_by_the_spool(primary: Primary, secondary: Secondary) -> None:
    """Files that change faster than they are read: the spool holds what the rows name."""
    away(primary, secondary)
    seeds = iter(range(5000, 9000))

    def change() -> None:
        if len(primary.reads) < 40:
            primary.change_unseen(b"new", noise(CHUNK, next(seeds)))

    primary.before_read = change
    sync(primary, MemoryTransport(secondary))
    assert digest_of(primary) == secondary.digest()


#: ``BASE`` in the order of its keys.
WHOLE = (*BASE[:5], BASE[6], BASE[5])
LOPPED = (WHOLE[0], *WHOLE[2:4], *WHOLE[5:])


def whole(puts: Sequence[bytes], drops: Sequence[bytes] = (), parent: int = ONE, id: int = 0) -> Offer:
    """Rows of a whole, as a primary that lies sends them."""
    made = offer(puts, drops, TWO, ONE)
    return Offer(id, TWO, CommitNumber(parent), made.rows, whole=True)


LIES: dict[str, tuple[PrimaryPart, ...]] = {
    "backwards": (whole(WHOLE[::-1]),),
    "twice": (whole(WHOLE), whole(WHOLE)),
    "drops": (whole(WHOLE, [key_of(WHOLE[3])]),),
    "on top of nothing": (whole(WHOLE, parent=NOTHING),),
    "mixed with others": (whole(WHOLE[:2]), offer(WHOLE[2:], (), TWO, ONE)),
    "after others": (offer([WHOLE[0]], (), TWO, ONE), whole(WHOLE[1:])),
    "names without their objects": (whole(WHOLE[4:]), seal(WHOLE[4:], 3, TWO, ONE)),
    "entries without their directory": (whole(LOPPED), seal(LOPPED, len(LOPPED), TWO, ONE)),
    "a digest of something else": (whole(WHOLE), seal(WHOLE, len(WHOLE), TWO, ONE, b"x" * 32)),
    "fewer rows than sealed": (whole(WHOLE[:6]), seal(WHOLE, len(WHOLE), TWO, ONE)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_whole_that_is_none(lie: str, secondary: Secondary) -> None:
    """Refused, and the state stays as it was."""
    refused(secondary, with_base(secondary), *LIES[lie])


def test_a_question_says_which_rows_are_not_here(secondary: Secondary) -> None:
    """By their place in the offer; what is here as it is needs no content."""
    receiver = with_base(secondary)
    other = (*WHOLE[:3], WHOLE[3][:20] + b"\xff" + WHOLE[3][21:], *WHOLE[4:])
    answers = receiver.handle((whole(other, id=7),))
    receiver.close()
    assert [Need(7, (3,))] == answers


def test_a_whole_of_what_is_here(secondary: Secondary) -> None:
    """The same rows: a commit that changes nothing, on top of what the peer had."""
    receiver = with_base(secondary)
    take(receiver, whole(WHOLE), seal(WHOLE, len(WHOLE), TWO, ONE))
    receiver.close()
    newest = secondary.catalog.newest()
    assert newest is not None
    assert (TWO, ONE, []) == (newest.number, newest.parent, list(secondary.catalog.difference(ONE, TWO)))
