"""Patches on their way: to peers that take them and have what they are made of, and whole chunks to all others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.outlet import ReadChunk
from agent.core.chunks import DATA, encode_one, name_of
from agent.core.commit import Changes, Commit
from agent.core.patch import between
from agent.stream.messages import Data
from agent.stream.position import Level
from agent.stream.sending.talk.refusals import RefusedByPeer
from fakes.idle import damaged_in
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import (
    CHUNK,
    Call,
    FakeSource,
    OldReceiver,
    Primary,
    Secondary,
    file_row,
    noise,
    sync,
)

FILE = 20 * CHUNK
EDIT = 100


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Primary]:
    """One that says what its chunks are made of."""
    one = Primary(tmp_path / "alpha")
    one.patching = True
    yield one
    one.close()


@pytest.fixture
def secondary(tmp_path: Path) -> Iterator[Secondary]:
    """An empty one."""
    one = Secondary(tmp_path / "beta")
    yield one
    one.close()


class Edits:
    """A file that is edited here and there."""

    def __init__(self, primary: Primary) -> None:
        self.primary, self.random = primary, random.Random(1)
        self.data = self.random.randbytes(FILE)
        primary.write((b"f", self.data))

    def edit(self, count: int = 5) -> None:
        """So many commits, each with one edit."""
        for _ in range(count):
            at = self.random.randrange(FILE - EDIT)
            self.data = self.data[:at] + self.random.randbytes(EDIT) + self.data[at + EDIT :]
            self.primary.write((b"f", self.data))


def patches(transport: MemoryTransport) -> int:
    """How many chunks went as patches."""
    return sum(codec > 1 for batch in transport.up for part in batch if isinstance(part, Data) for codec in part.codecs)


def payload(transport: MemoryTransport) -> int:
    """Bytes of chunks as they travelled."""
    return sum(len(part.payload) for batch in transport.up for part in batch if isinstance(part, Data))


def equal(primary: Primary, secondary: Secondary) -> bool:
    """Whether both are at the same commit, and every chunk of it is there."""
    newest = primary.catalog.newest()
    data = primary.disk[primary.names[b"f"]]
    names = [name_of(data[at : at + CHUNK]) for at in range(0, len(data), CHUNK)]
    whole = b"".join(secondary.vault.read(name) for name in names) == data
    return newest is not None and newest.digest == secondary.digest() and whole


def arrived(call: Call, primary: Primary) -> None:
    """Wait until the peer has everything."""
    newest = primary.catalog.newest()
    assert newest is not None
    assert call.board.wait(Level.DURABLE, newest.number, 40), call.failure


def streaming(primary: Primary, transport: MemoryTransport) -> Call:
    """A call that has caught up."""
    call = Call(primary, transport)
    call.until_streaming()
    return call


def test_a_streaming_peer_gets_what_differs(primary: Primary, secondary: Secondary) -> None:
    """Each edit costs about its own bytes, though each chunk is forty times that."""
    edits = Edits(primary)
    transport = MemoryTransport(secondary)
    call = streaming(primary, transport)
    before = payload(transport)
    edits.edit(50)
    arrived(call, primary)
    call.stop()
    assert equal(primary, secondary)
    assert (True, True) == (patches(transport) >= 50, payload(transport) - before < 50 * CHUNK // 4)


def test_a_peer_of_the_release_before_gets_whole_chunks(primary: Primary, secondary: Secondary) -> None:
    """It did not say that it takes patches."""
    secondary.kind = OldReceiver
    edits = Edits(primary)
    transport = MemoryTransport(secondary)
    call = streaming(primary, transport)
    edits.edit()
    arrived(call, primary)
    call.stop()
    assert (True, 0) == (equal(primary, secondary), patches(transport))


def test_who_catches_up_gets_whole_chunks(primary: Primary, secondary: Secondary) -> None:
    """Nobody knows any more what stood there."""
    edits = Edits(primary)
    first = streaming(primary, MemoryTransport(secondary))
    arrived(first, primary)
    first.stop()
    edits.edit()
    transport = MemoryTransport(secondary)
    call = Call(primary, transport)
    arrived(call, primary)
    call.stop()
    assert (True, 0) == (equal(primary, secondary), patches(transport))


def test_a_base_that_the_peer_lost_brings_the_chunk_whole(primary: Primary, secondary: Secondary) -> None:
    """The call ends as with a busy peer; the next one catches up, and nothing is amiss then."""
    edits = Edits(primary)
    call = streaming(primary, MemoryTransport(secondary))
    arrived(call, primary)
    lost = [name_of(edits.data[at : at + CHUNK]) for at in range(0, FILE, CHUNK)]
    secondary.vault.lose(lost)
    edits.edit()
    call.join()
    assert isinstance(call.failure, RefusedByPeer)
    assert "busy" == call.failure.code
    secondary.lacking = True
    again = Call(primary, MemoryTransport(secondary))
    arrived(again, primary)
    again.stop()
    assert equal(primary, secondary)


@pytest.mark.parametrize("cut", range(1, 14))
@pytest.mark.parametrize("killed", [False, True])
def test_a_cut_among_patches_is_caught_up(primary: Primary, secondary: Secondary, cut: int, killed: bool) -> None:
    """At any batch, with the secondary's stores as they are or opened anew: the next call makes both equal."""
    edits = Edits(primary)
    call = Call(primary, MemoryTransport(secondary, cut_up=cut))
    edits.edit(8)
    for _ in range(1000):
        newest = primary.catalog.newest()
        if call.sender.talk.watch(0.01) or newest is None or call.board.position.durable == newest.number:
            break
    call.stop()
    if killed:
        secondary.close()
        secondary.open()
    resumed = streaming(primary, MemoryTransport(secondary))
    edits.edit(3)
    arrived(resumed, primary)
    resumed.stop()
    assert equal(primary, secondary)
    assert [] == damaged_in(secondary.vault)


def edited(data: bytes, number: int) -> bytes:
    """Fifty bytes changed."""
    return bytes([number]) * 50 + data[50:]


def test_what_was_captured_twice_before_a_call_jumps_there(primary: Primary, secondary: Secondary) -> None:
    """A large file changes, and again between the beginning of a call and its choice of a commit: the peer was never brought the
    version of which the first of these is a patch."""
    versions = [edited(noise(CHUNK), number) for number in range(5)]
    primary.write((b"f", versions[0]))
    sync(primary, MemoryTransport(secondary))
    primary.edit_ahead(b"f", versions[1])
    todo = versions[2:4]

    class Late(FakeSource):
        def newest(self) -> Commit | None:
            while todo and primary.feed._attached():
                primary.edit_ahead(b"f", todo.pop(0))
            return self._reader.newest()

    primary.make_source = Late
    transport = MemoryTransport(secondary)
    call = streaming(primary, transport)
    arrived(call, primary)
    assert 0 == patches(transport)
    primary.edit_ahead(b"f", versions[4])
    arrived(call, primary)
    call.stop()
    assert (None, True, 1) == (call.failure, equal(primary, secondary), patches(transport))


def test_a_chunk_never_goes_before_its_base(primary: Primary, secondary: Secondary) -> None:
    """A file that was A, B and A again within one commit has A as a patch of B, ahead of B."""
    base = noise(CHUNK)
    primary.write((b"f", base))
    transport = MemoryTransport(secondary)
    call = streaming(primary, transport)
    a, b = edited(base, 1), edited(base, 2)
    pairs = [(a, b), (b, a)]
    found = [ReadChunk(name_of(new), DATA, new, True, between(new, name_of(old), old)) for new, old in pairs]
    id = primary.names[b"f"]
    primary.disk[id] = a
    primary._commit(Changes([file_row(id, encode_one(len(a), name_of(a)), len(a))]), found, [], True)
    arrived(call, primary)
    call.stop()
    assert (None, True, 1) == (call.failure, equal(primary, secondary), patches(transport))
