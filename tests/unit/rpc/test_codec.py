"""Batches as bytes: what goes in comes out, and what nobody would write is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.commit import CommitKind, Position, Provenance, Quiesced
from agent.core.errors import WireError
from agent.core.hold import Hold
from agent.core.ids import EPOCH_LIMIT, NOTHING, CommitNumber, Epoch, commit_number
from agent.core.kept import HistoryFacts, KeptNote, KeptPast, VaultCheck, VaultFacts, VaultVerified
from agent.core.standing import Pause, Standing, SyncFacts, Trouble, Verified
from agent.rpc.codec import decode_answers, decode_batch, encode_answers, encode_batch
from agent.rpc.wire import replication_pb2 as pb
from agent.stream.locator import LOCATOR_MAX, CommitMark
from agent.stream.messages import (
    BATCH_MAX,
    PARTS_MAX,
    Announce,
    AskBarrier,
    BarrierReached,
    Begin,
    Data,
    Heartbeat,
    Hello,
    Need,
    Offer,
    Progress,
    Refuse,
    Seal,
    Sums,
    Together,
    Welcome,
    Withdraw,
)

numbers = st.integers(0, (1 << 63) - 1).map(CommitNumber)
spans = st.none() | st.floats(0, 1e9)
counts = st.integers(0, (1 << 63) - 1)
shared_numbers = st.builds(commit_number, st.integers(0, EPOCH_LIMIT - 1), st.integers(1, (1 << 39) - 1))
words = st.text(max_size=40)
tokens = st.binary(max_size=64)
u32 = st.integers(0, (1 << 32) - 1)
epochs = st.builds(Epoch, st.integers(0, EPOCH_LIMIT - 1), words, tokens)
asked = st.lists(st.tuples(st.sampled_from([0, 2]), st.binary(min_size=32, max_size=32)), max_size=20).map(tuple)


@st.composite
def datas(draw: st.DrawFn) -> Data:
    """Chunks whose packed fields fit together."""
    stored = draw(st.lists(st.binary(max_size=50), max_size=10))
    count = len(stored)
    return Data(
        bytes(draw(st.lists(st.sampled_from([0, 2]), min_size=count, max_size=count))),
        bytes(draw(st.lists(st.sampled_from([0, 1]), min_size=count, max_size=count))),
        draw(st.lists(st.integers(1, 1 << 20), min_size=count, max_size=count)),
        [len(one) for one in stored],
        b"".join(stored),
    )


held = st.none() | st.builds(Hold, words, words, words, counts, generation=words)
reached = st.none() | st.builds(
    BarrierReached,
    st.integers(1, (1 << 63) - 1),
    numbers,
    st.sampled_from(Quiesced),
    counts,
    st.lists(words, max_size=16).map(tuple),
    words,
    words,
    words,
    st.booleans(),
)
named = words.filter(bool)
together = st.none() | st.builds(Together, named, named, st.lists(named, max_size=8).map(tuple))
moments = st.none() | st.integers(1, (1 << 63) - 1)
checks = st.builds(VaultVerified, moments, counts, st.none() | st.builds(VaultCheck, counts, counts, counts, counts))
vaults = st.none() | st.builds(
    VaultFacts,
    counts,
    st.none() | counts,
    st.none() | st.floats(0, 1e300),
    st.none() | st.integers(-(1 << 62), 1 << 62),
    moments,
    checks,
)
histories = st.builds(
    HistoryFacts,
    moments,
    counts,
    moments,
    moments,
    st.lists(st.builds(KeptNote, counts, words, words), max_size=16).map(tuple),
)
pasts = st.none() | st.builds(KeptPast, histories, counts, vaults)
standings = st.none() | st.builds(
    Standing,
    words,
    held,
    st.lists(st.builds(Pause, words, st.none() | st.integers(1, (1 << 63) - 1)), max_size=4).map(tuple),
    u32,
    u32,
    st.none() | st.builds(Trouble, words, words, words),
    st.none() | st.builds(Verified, counts, st.booleans(), st.booleans(), counts),
    st.none()
    | st.builds(
        SyncFacts, words, counts, st.none() | counts, counts, st.none() | counts, st.none() | st.floats(0, 1e9)
    ),
    pasts,
)
marks = st.builds(CommitMark, st.binary(min_size=16, max_size=16), shared_numbers, st.binary(min_size=32, max_size=32))
locators = st.lists(marks, max_size=6, unique_by=lambda mark: mark.number).map(
    lambda some: tuple(sorted(some, key=lambda mark: -mark.number))
)
begins = st.builds(Begin, st.integers(1, 99), numbers, numbers, marks) | st.builds(
    Begin, st.just(0), numbers, numbers, st.none(), st.just(b"\x01" * 8192)
)
sums = st.builds(Sums, numbers, st.sampled_from([b"", bytes(8192)])) | st.builds(
    lambda number, groups: Sums(number, b"", bytes(sorted(groups)), b"s" * 4096 * len(groups)),
    numbers,
    st.sets(st.integers(0, 255), max_size=4),
)
provenances = st.builds(
    Provenance, st.sampled_from(CommitKind), st.sampled_from(Quiesced), st.just(NOTHING), st.text(max_size=40)
)
primary_parts = st.one_of(
    st.builds(
        Hello,
        words,
        words,
        st.lists(u32, max_size=5).map(tuple),
        epochs,
        numbers,
        tokens,
        tokens,
        words,
        words,
        locators,
        words,
    ),
    st.builds(Offer, u32, numbers, numbers, st.binary(max_size=100), asked),
    datas(),
    st.builds(
        Seal,
        numbers,
        numbers,
        st.integers(-(1 << 63), (1 << 63) - 1),
        st.booleans(),
        tokens,
        counts,
        counts,
        counts,
        counts,
        counts,
        provenances,
        st.none() | marks,
        counts,
    ),
    st.builds(Withdraw, numbers),
    st.builds(Heartbeat, st.floats(allow_nan=False), standings, barrier=reached),
    st.builds(
        lambda count, named, all, since, spans: Announce(
            count, tuple(path for path, _ in named), all, since, tuple(size for _, size in named), NOTHING, *spans
        ),
        counts,
        st.lists(st.tuples(st.binary(max_size=40), counts), max_size=5),
        st.booleans(),
        st.integers(0, 1 << 62),
        st.tuples(spans, spans),
    ),
    begins,
    sums,
)
secondary_parts = st.one_of(
    st.builds(
        Welcome,
        words,
        epochs,
        numbers,
        tokens,
        numbers,
        counts,
        u32,
        st.binary(max_size=90),
        tokens,
        st.booleans(),
        st.booleans(),
        st.booleans(),
        words,
        tokens,
        st.booleans(),
        epochs,
        counts,
        locators,
        words,
    ),
    st.builds(Need, u32, st.lists(u32, max_size=20).map(tuple)),
    st.builds(Progress, st.builds(Position, numbers, numbers), counts, standings),
    st.builds(Refuse, words, words, words, u32),
    st.builds(AskBarrier, st.integers(1, (1 << 63) - 1), st.booleans(), together),
    sums,
)


@given(st.lists(primary_parts, max_size=5).map(tuple))
def test_batches_come_out_as_they_went_in(batch: tuple[object, ...]) -> None:
    """Every part of a primary survives the wire."""
    assert batch == decode_batch(encode_batch(batch))  # type: ignore[arg-type]  # drawn from all kinds


@given(st.lists(secondary_parts, max_size=5).map(tuple))
def test_answers_come_out_as_they_went_in(answers: tuple[object, ...]) -> None:
    """Every part of a secondary survives the wire."""
    assert answers == decode_answers(encode_answers(answers))  # type: ignore[arg-type]  # drawn from all kinds


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing else than ``WireError`` comes of junk."""
    for decode in (decode_batch, decode_answers):
        try:
            decode(data)
        except WireError:
            continue


def request(**parts: object) -> bytes:
    """The bytes of a request with one part, which may be wrong."""
    return pb.ReplicateRequest(parts=[pb.PrimaryPart(**parts)]).SerializeToString()  # type: ignore[arg-type]  # any part


def mark(number: int) -> pb.CommitMark:
    """A commit as it may be named."""
    return pb.CommitMark(epoch=b"e" * 16, number=number, digest=b"d" * 32)


def saying(**fields: object) -> bytes:
    """The bytes of a heartbeat that says how the dataset stands."""
    return request(heartbeat=pb.Heartbeat(standing=pb.Standing(**fields)))  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    "data",
    [
        request(),
        request(offer=pb.Offer(names=b"short", kinds=b"\0")),
        request(offer=pb.Offer(names=b"n" * 32, kinds=b"")),
        request(offer=pb.Offer(names=b"n" * 32, kinds=b"\1")),
        request(offer=pb.Offer(number=1 << 63)),
        request(seal=pb.Seal(entries=1 << 63)),
        request(seal=pb.Seal(digest=b"d" * 65)),
        saying(state="s" * 65),
        saying(hold=pb.StandingHold(sentence="s" * 1025)),
        saying(hold=pb.StandingHold(since=-1)),
        saying(pauses=[pb.StandingPause(what="send")] * 5),
        saying(worst=pb.StandingTrouble(message="m" * 1025)),
        saying(verify=pb.StandingVerify(time=-1)),
        saying(sync=pb.StandingSync(total_bytes=1 << 63)),
        saying(past=pb.StandingPast(reaches=-1)),
        saying(past=pb.StandingPast(notes=[pb.StandingNote()] * 17)),
        saying(past=pb.StandingPast(notes=[pb.StandingNote(sentence="s" * 1025)])),
        saying(past=pb.StandingPast(vault=pb.StandingVault(ratio=float("inf")))),
        saying(past=pb.StandingPast(vault=pb.StandingVault(bytes_per_day=-(1 << 63)))),
        saying(past=pb.StandingPast(vault=pb.StandingVault(last=pb.StandingVaultCheck(damaged=1 << 63)))),
        request(heartbeat=pb.Heartbeat(barrier=pb.BarrierReached())),
        request(heartbeat=pb.Heartbeat(barrier=pb.BarrierReached(id=1, number=1 << 63))),
        request(heartbeat=pb.Heartbeat(barrier=pb.BarrierReached(id=1, reached=3))),
        request(heartbeat=pb.Heartbeat(barrier=pb.BarrierReached(id=1, stood_still=1 << 63))),
        request(heartbeat=pb.Heartbeat(barrier=pb.BarrierReached(id=1, hooks=["h"] * 17))),
        request(heartbeat=pb.Heartbeat(barrier=pb.BarrierReached(id=1, failed="f" * 1001))),
        request(heartbeat=pb.Heartbeat(barrier=pb.BarrierReached(id=1, moment="m" * 1001))),
        saying(sync=pb.StandingSync(eta_seconds=float("nan"))),
        request(hello=pb.Hello(node="n" * 1025)),
        request(hello=pb.Hello(nonce=b"n" * 65)),
        request(hello=pb.Hello(program="p" * 1025)),
        request(hello=pb.Hello(kind="k" * 1025)),
        request(hello=pb.Hello(epoch=pb.Epoch(number=EPOCH_LIMIT))),
        request(hello=pb.Hello(reason="r" * 1025)),
        request(hello=pb.Hello(locator=[mark(n) for n in range(LOCATOR_MAX + 1, 0, -1)])),
        request(hello=pb.Hello(locator=[mark(1), mark(2)])),
        request(hello=pb.Hello(locator=[mark(2), mark(2)])),
        request(hello=pb.Hello(locator=[pb.CommitMark(epoch=b"e" * 15, number=1, digest=b"d" * 32)])),
        request(hello=pb.Hello(locator=[pb.CommitMark(epoch=b"e" * 16, number=1, digest=b"d" * 33)])),
        request(hello=pb.Hello(locator=[mark(0)])),
        request(hello=pb.Hello(locator=[mark(1 << 39)])),
        request(seal=pb.Seal(kind=99)),
        request(seal=pb.Seal(reached=3)),
        request(seal=pb.Seal(label="l" * 257)),
        request(seal=pb.Seal(same_as=pb.CommitMark())),
        request(seal=pb.Seal(barrier=1 << 63)),
        request(announce=pb.Announce(count=1 << 63)),
        request(announce=pb.Announce(paths=[b""] * 1025)),
        request(announce=pb.Announce(paths=[bytes(1 << 17)] * 3)),
        request(announce=pb.Announce(paths=[b"a", b"b"], sizes=[1])),
        request(announce=pb.Announce(sizes=[1 << 63])),
        request(announce=pb.Announce(lag=float("nan"))),
        request(announce=pb.Announce(age=float("inf"))),
        request(announce=pb.Announce(age=-1.0)),
        request(begin=pb.Begin()),
        request(begin=pb.Begin(buckets=bytes(8191))),
        request(begin=pb.Begin(back=mark(1))),
        request(begin=pb.Begin(id=1, back=mark(1), buckets=bytes(8192))),
        request(begin=pb.Begin(id=1, buckets=bytes(8192))),
        request(begin=pb.Begin(number=1 << 63, buckets=bytes(8192))),
        request(sums=pb.Sums(groups=bytes(8191))),
        request(sums=pb.Sums(groups=bytes(8192), differing=b"\1", buckets=bytes(4096))),
        request(sums=pb.Sums(differing=b"\1\1", buckets=bytes(8192))),
        request(sums=pb.Sums(differing=b"\2\1", buckets=bytes(8192))),
        request(sums=pb.Sums(differing=b"\1", buckets=bytes(4095))),
        request(data=pb.Data(kinds=b"\0", raw_lengths=[1], stored_lengths=[1, 2], payload=b"x")),
        request(data=pb.Data(kinds=b"\0", codecs=b"\0", raw_lengths=[1 << 21], stored_lengths=[1], payload=b"x")),
        pb.ReplicateRequest(parts=[pb.PrimaryPart()] * (PARTS_MAX + 1)).SerializeToString(),
        bytes(BATCH_MAX + 1),
    ],
)
def test_what_breaks_a_limit_is_refused(data: bytes) -> None:
    """Lengths, counts and numbers are capped before they become values."""
    with pytest.raises(WireError):
        decode_batch(data)


@pytest.mark.parametrize(
    "part",
    [
        pb.SecondaryPart(barrier=pb.AskBarrier()),
        pb.SecondaryPart(barrier=pb.AskBarrier(id=1 << 63)),
        pb.SecondaryPart(sums=pb.Sums(number=1 << 63)),
        pb.SecondaryPart(welcome=pb.Welcome(locator=[mark(1), mark(2)])),
        pb.SecondaryPart(welcome=pb.Welcome(met_reason="r" * 1025)),
    ],
)
def test_what_a_peer_says_beyond_a_limit_is_refused(part: pb.SecondaryPart) -> None:
    """The answering side is believed no more than the asking one."""
    with pytest.raises(WireError):
        decode_answers(pb.ReplicateResponse(parts=[part]).SerializeToString())


def test_a_field_of_a_newer_release_is_ignored() -> None:
    """What an older release need not know travels beside what it knows."""
    newer = pb.PrimaryPart(withdraw=pb.Withdraw(number=7)).withdraw.SerializeToString() + b"\xa2\x06\x03new"
    part = b"\x2a" + bytes([len(newer)]) + newer
    assert (Withdraw(CommitNumber(7)),) == decode_batch(b"\x0a" + bytes([len(part)]) + part)


def test_a_part_of_a_newer_release_is_refused_in_words() -> None:
    """What cannot be ignored was not agreed: a sentence that says which way out there is, for either side."""
    unknown = b"\x0a\x06\xa2\x06\x03new"
    for decode in (decode_batch, decode_answers):
        with pytest.raises(WireError, match=r"does not know.*upgrade"):
            decode(unknown)
