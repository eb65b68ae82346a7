"""A peer whose files change faster than its link: round by the spool, in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core.errors import HikaeError
from agent.stream.messages import Batch, Data, Offer, Seal, Withdraw
from agent.stream.sending.sender import CallPhase
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import CHUNK, Call, Primary, Secondary, noise


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Primary]:
    """Its live queues hold almost nothing, so that every peer is slow."""
    one = Primary(tmp_path / "alpha", limit=2 * CHUNK)
    yield one
    one.close()


def digests(primary: Primary, secondary: Secondary) -> tuple[bytes, bytes | None]:
    """Of both sides' newest commits."""
    newest = primary.catalog.newest()
    assert newest is not None
    return newest.digest, secondary.digest()


def caught_up(call: Call, primary: Primary, secondary: Secondary) -> bool:
    """Wait until both are equal, or the call has ended."""
    for _ in range(20_000):
        ours, theirs = digests(primary, secondary)
        if ours == theirs:
            return True
        if call.sender.talk.watch(0.001):
            return False
    return False


class HotFile:
    """A file that is rewritten, twice, whenever anything is about to be read, ``times`` times; and captured when it is."""

    def __init__(self, primary: Primary, times: int, size: int = 5 * CHUNK) -> None:
        self.seeds = itertools.count(100)
        self.left = times
        self.primary = primary
        self.size = size
        primary.write((b"hot", noise(size, 99)), (b"still", noise(3 * CHUNK, 1)))
        primary.before_read = self.rewrite

    def rewrite(self) -> None:
        """Two more versions."""
        if self.left > 0:
            self.left -= 1
            for _ in range(2):
                self.primary.write((b"hot", noise(self.size, next(self.seeds))))


def sealed(transport: MemoryTransport) -> list[int]:
    """Numbers of the commits that were sealed."""
    return [part.number for batch in transport.up for part in batch if isinstance(part, Seal)]


def test_a_file_that_changes_at_every_read_arrives(primary: Primary, secondary: Secondary) -> None:
    """By way of the spool, in some version while it is rewritten, and equal at last."""
    HotFile(primary, 12)
    transport = MemoryTransport(secondary)
    call = Call(primary, transport)
    assert caught_up(call, primary, secondary), call.failure
    call.stop()
    assert call.failure is None
    assert primary.spools
    assert 1 < len(sealed(transport))


class WatchedBatches(list[Batch]):
    """Batches that go up; at each, what the call says is left, while the peer is asked by way of the spool."""

    def __init__(self) -> None:
        super().__init__()
        self.call: Call | None = None
        self.left: list[int | None] = []

    def append(self, batch: Batch) -> None:
        """As a list does."""
        super().append(batch)
        asks = any(isinstance(part, Offer) and part.asked for part in batch)
        if asks and self.call is not None and self.call.sender.phase is CallPhase.BEHIND:
            self.left.append(self.call.sender.behind_bytes)


def test_what_is_left_is_known_before_the_peer_was_asked(primary: Primary, secondary: Secondary) -> None:
    """A round by the spool asks for much and reads much before it ships: all of it is left from the first question on."""
    HotFile(primary, 12)
    watched = WatchedBatches()
    call = watched.call = Call(primary, MemoryTransport(secondary, up=watched))
    assert caught_up(call, primary, secondary), call.failure
    call.stop()
    assert watched.left
    assert [] == [left for left in watched.left if left is None or left < 5 * CHUNK]


def test_the_spool_sends_only_what_the_sealed_rows_name(primary: Primary, secondary: Secondary) -> None:
    """Versions that were superseded while they were gathered do not travel: at most one version a seal goes out by it."""
    HotFile(primary, 12)
    transport = MemoryTransport(secondary)
    call = Call(primary, transport)
    assert caught_up(call, primary, secondary), call.failure
    call.stop()
    carried = sum(sum(part.raw_lengths) for batch in transport.up for part in batch if isinstance(part, Data))
    rounds = len(sealed(transport)) + sum(isinstance(part, Withdraw) for batch in transport.up for part in batch)
    assert carried <= (rounds + 1) * 8 * CHUNK


def test_what_is_too_large_for_the_spool_arrives_once_it_rests(primary: Primary, secondary: Secondary) -> None:
    """Nothing is sealed that is not whole; what fits is not sent twice; the peer counts as behind meanwhile."""
    primary.spool_limits = (3 * CHUNK,)
    hot = HotFile(primary, 30)
    phases: set[CallPhase] = set()
    transport = MemoryTransport(secondary)
    call = Call(primary, transport)
    inner: Callable[[], None] = hot.rewrite

    def look() -> None:
        phases.add(call.sender.phase)
        inner()

    primary.before_read = look
    assert caught_up(call, primary, secondary), call.failure
    call.stop()
    assert call.failure is None
    assert CallPhase.BEHIND in phases
    assert max(spool.size for spool in primary.spools) <= 3 * CHUNK


def test_a_copy_of_what_could_not_be_read(primary: Primary, secondary: Secondary) -> None:
    """Two files name the same chunk; the one that was asked about changes, the other keeps it: it arrives all the same."""
    same = noise(CHUNK, 7)
    primary.write((b"a", same + noise(CHUNK, 8)), (b"b", same))
    seeds = itertools.count(500)

    def rewrite() -> None:
        seed = next(seeds)
        if seed < 520:
            primary.write((b"a", noise(2 * CHUNK, seed)))
            primary.write((b"a", noise(2 * CHUNK, seed + 100)))

    primary.before_read = rewrite
    call = Call(primary, MemoryTransport(secondary))
    assert caught_up(call, primary, secondary), call.failure
    call.stop()
    assert call.failure is None


def test_a_cut_at_every_batch(tmp_path: Path) -> None:
    """Whatever arrived before the cut, the next call brings the rest, and nothing is left of the spool."""
    for cut in range(1, 14):
        home = tmp_path / str(cut)
        primary, secondary = Primary(home / "alpha", limit=2 * CHUNK), Secondary(home / "beta")
        HotFile(primary, 8)
        broken = Call(primary, MemoryTransport(secondary, cut_up=cut))
        caught_up(broken, primary, secondary)
        broken.stop()
        broken.sender.release()
        call = Call(primary, MemoryTransport(secondary))
        assert caught_up(call, primary, secondary), (cut, call.failure)
        call.stop()
        assert [0] * len(primary.spools) == [len(spool) for spool in primary.spools]
        primary.close()
        secondary.close()


def test_no_room_for_a_spool_ends_the_call(primary: Primary, secondary: Secondary) -> None:
    """It is said, and dialled again."""

    HotFile(primary, 1000)
    primary.spool_directory = "/nonexistent"
    call = Call(primary, MemoryTransport(secondary))
    call.join()
    assert isinstance(call.failure, HikaeError)
    assert "spool for a slow peer" == call.failure.operation
