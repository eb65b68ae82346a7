"""The link cut at every batch, in either direction, and resumed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.core.ids import CommitNumber
from agent.stream.messages import Data
from agent.stream.position import Level
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import Call, Primary, Secondary

FILES = 8
SIZE = 300_000
BATCHES = 12


def noise(size: int, seed: int) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def filled(directory: Path) -> Primary:
    """A primary with some commits; what they hold together is ``FILES`` times ``SIZE`` bytes."""
    primary = Primary(directory)
    for n in range(0, FILES, 2):
        primary.write((b"a%d" % n, noise(SIZE, n)), (b"b%d" % n, noise(SIZE, n + 1)))
    return primary


def newest_of(primary: Primary) -> tuple[CommitNumber, bytes]:
    """Number and digest."""
    newest = primary.catalog.newest()
    assert newest is not None
    return newest.number, newest.digest


def until_cut(call: Call, primary: Primary) -> None:
    """Wait until the call has ended, or has brought everything."""
    for _ in range(1000):
        if call.sender.talk.watch(0.01) or call.board.position.durable == newest_of(primary)[0]:
            break
    call.stop()


def resume(primary: Primary, secondary: Secondary) -> MemoryTransport:
    """A call without faults; both are equal after it."""
    transport = MemoryTransport(secondary)
    call = Call(primary, transport)
    number, digest = newest_of(primary)
    assert call.board.wait(Level.DURABLE, number, 40), call.failure
    call.stop()
    assert digest == secondary.digest()
    return transport


def raw_bytes(transport: MemoryTransport) -> int:
    """Bytes of content that were carried; lists of chunks are none."""
    carried = (part for batch in transport.up for part in batch if isinstance(part, Data))
    return sum(
        length for part in carried for kind, length in zip(part.kinds, part.raw_lengths, strict=True) if not kind
    )


@pytest.mark.parametrize("cut", range(BATCHES))
def test_cut_on_the_way_up(tmp_path: Path, cut: int) -> None:
    """Whatever arrived stays and is not sent again; nothing is committed that was not sealed."""
    primary, secondary = filled(tmp_path / "a"), Secondary(tmp_path / "b")
    broken = MemoryTransport(secondary, cut_up=cut)
    call = Call(primary, broken)
    until_cut(call, primary)
    assert secondary.digest() in (None, newest_of(primary)[1])
    resumed = resume(primary, secondary)
    assert FILES * SIZE == raw_bytes(broken) + raw_bytes(resumed)
    primary.close()
    secondary.close()


@pytest.mark.parametrize("cut", range(8))
def test_cut_on_the_way_down(tmp_path: Path, cut: int) -> None:
    """An answer that is lost costs no more than a question."""
    primary, secondary = filled(tmp_path / "a"), Secondary(tmp_path / "b")
    broken = MemoryTransport(secondary, cut_down=cut)
    call = Call(primary, broken)
    until_cut(call, primary)
    resumed = resume(primary, secondary)
    # What was under way at the cut is lost.
    assert raw_bytes(broken) + raw_bytes(resumed) <= 2 * FILES * SIZE
    primary.close()
    secondary.close()


@pytest.mark.parametrize("cut", range(1, 7))
def test_cut_among_live_commits(tmp_path: Path, cut: int) -> None:
    """A call that breaks while it streams is resumed by catching up."""
    primary, secondary = Primary(tmp_path / "a"), Secondary(tmp_path / "b")
    primary.write((b"first", b"1"))
    call = Call(primary, MemoryTransport(secondary, cut_up=cut))
    for n in range(6):
        primary.write((b"live%d" % n, noise(5000, n)))
    until_cut(call, primary)
    resume(primary, secondary)
    primary.close()
    secondary.close()


@pytest.mark.parametrize("cut", range(1, BATCHES, 3))
def test_both_killed_at_a_cut(tmp_path: Path, cut: int) -> None:
    """The same with the secondary's stores opened anew, as after a crash."""
    primary, secondary = filled(tmp_path / "a"), Secondary(tmp_path / "b")
    call = Call(primary, MemoryTransport(secondary, cut_up=cut))
    until_cut(call, primary)
    secondary.close()
    secondary.open()
    resume(primary, secondary)
    primary.close()
    secondary.close()
