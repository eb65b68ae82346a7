"""What a peer may say of pasts and sums that is not so: refused on either side, and the state stays as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.digest import BUCKETS, bucket_of
from agent.core.errors import WireError
from agent.core.ids import NOTHING, commit_number
from agent.core.rows import key_of, name_key
from agent.stream.locator import CommitMark
from agent.stream.messages import Begin, Need, Offer, PrimaryPart, Sums, Withdraw
from agent.stream.receiving.receiver import Receiver
from fakes.hostile import BASE, ONE, TWO, A, offer, refused, seal, take, with_base
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import EPOCH, Call, Primary, Secondary, digest_of

THREE = commit_number(1, 3)
#: ``BASE`` in the order of its keys.
WHOLE = (*BASE[:5], BASE[6], BASE[5])
FILE_ROW = WHOLE[3]
CHANGED = FILE_ROW[:20] + b"\xff" + FILE_ROW[21:]


def buckets(*rows: bytes) -> bytes:
    """The buckets of these rows."""
    bits = bytearray(BUCKETS // 8)
    for row in rows:
        number = bucket_of(row)
        bits[number >> 3] |= 1 << (number & 7)
    return bytes(bits)


def mark(secondary: Secondary) -> CommitMark:
    """What it has."""
    newest = secondary.catalog.newest()
    assert newest is not None
    return CommitMark(EPOCH.token, newest.number, newest.digest)


def whole_of(*rows: bytes) -> Offer:
    """Rows of a whole of some buckets."""
    return Offer(0, TWO, ONE, offer(rows, (), TWO, ONE).rows, whole=True)


SOME = Begin(0, TWO, ONE, None, buckets(FILE_ROW))
SUMS = Sums(TWO, bytes(8192))
LIES: dict[str, tuple[PrimaryPart, ...]] = {
    "on top of nothing": (replace(SOME, parent=NOTHING),),
    "on top of another": (replace(SOME, parent=TWO, number=THREE),),
    "a number that is there": (replace(SOME, number=ONE),),
    "twice": (SOME, SOME),
    "after rows": (offer([CHANGED], (), TWO, ONE), SOME),
    "rows of another bucket": (SOME, whole_of(*WHOLE)),
    "changes in a whole": (SOME, offer([CHANGED], (), TWO, ONE)),
    "a state that is another": (SOME, whole_of(FILE_ROW), seal(WHOLE, 1, TWO, ONE, b"x" * 32)),
    "a bucket emptied, sealed as it was": (SOME, seal(WHOLE, 0, TWO, ONE)),
    "sums while a commit is open": (offer([CHANGED], (), TWO, ONE), SUMS),
    "sums of nothing": (Sums(TWO),),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_beginning_that_is_none(lie: str, secondary: Secondary) -> None:
    """Of a commit that begins otherwise than on top of what is there."""
    refused(secondary, with_base(secondary), *LIES[lie])


def test_buckets_that_differ(secondary: Secondary) -> None:
    """An honest whole of the buckets in which one row changed: the others stay, unnamed."""
    receiver = with_base(secondary)
    begin = replace(SOME, buckets=buckets(FILE_ROW, CHANGED))
    rows = [CHANGED if row == FILE_ROW else row for row in WHOLE]
    take(receiver, begin, whole_of(CHANGED), seal(rows, 1, TWO, ONE))
    receiver.close()
    assert [[(key_of(CHANGED), FILE_ROW, CHANGED)]] == list(secondary.catalog.difference(ONE, TWO))


@pytest.mark.parametrize("field", ["epoch", "number", "digest"])
def test_going_back_to_what_is_not_known(field: str, secondary: Secondary) -> None:
    """A commit is its epoch, its number and its digest: the answer is that nobody can, and the call goes on."""
    receiver = with_base(secondary)
    other = {"epoch": b"x" * 16, "number": commit_number(1, 7), "digest": b"x" * 32}[field]
    known = mark(secondary)
    begin = Begin(9, TWO, ONE, replace(known, **{field: other}))  # type: ignore[arg-type]  # whichever it is
    assert [Need(9, (0,))] == receiver.handle((begin,))
    take(receiver, offer([CHANGED], (), TWO, ONE), Withdraw(TWO))
    receiver.close()
    assert mark(secondary) == known


def test_going_back_to_where_it_is(secondary: Secondary) -> None:
    """Nothing is taken back, and what does not live cannot be dropped any more than else."""
    receiver = with_base(secondary)
    begin = Begin(9, TWO, ONE, mark(secondary))
    refused(secondary, receiver, begin, offer((), [name_key(A, b"nobody")], TWO, ONE))


class Liar(Receiver):
    """One that answers with the sums of a commit that is not its newest."""

    def _compare(self, sums: Sums) -> Sums:
        return replace(super()._compare(sums), number=THREE)


def test_sums_of_another_commit(primary: Primary, secondary: Secondary) -> None:
    """They are not those of what it said that it has."""
    primary.write((b"f", b"1"))
    call = Call(primary, MemoryTransport(secondary))
    call.until_streaming()
    call.stop()
    newest = primary.write((b"f", b"2"))
    primary.catalog.raise_horizon(newest.number)
    secondary.kind = Liar
    before = secondary.digest()
    call = Call(primary, MemoryTransport(secondary))
    call.join()
    assert (WireError, before) == (type(call.failure), secondary.digest())
    assert digest_of(primary) != before
