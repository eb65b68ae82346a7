"""Both state machines joined in memory: first sync, live commits, catching up, broken lineages."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.ids import Epoch
from agent.stream.board import Level
from agent.stream.messages import Data, Seal
from fakes.stream_fakes import CHUNK, Call, MemoryTransport, Primary, Secondary


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Primary]:
    one = Primary(tmp_path / "alpha")
    yield one
    one.close()


@pytest.fixture
def secondary(tmp_path: Path) -> Iterator[Secondary]:
    one = Secondary(tmp_path / "beta")
    yield one
    one.close()


def until_durable(call: Call, primary: Primary) -> None:
    """Wait until the peer has everything."""
    newest = primary.catalog.newest()
    assert newest is not None
    assert call.board.wait(Level.DURABLE, newest.number, 10), call.failure


def test_first_sync_from_an_existing_catalog(primary: Primary, secondary: Secondary) -> None:
    """A peer that holds nothing gets the whole state by catchup."""
    primary.write(*((b"f%d" % n, noise(10_000, n)) for n in range(20)))
    call = Call(primary, MemoryTransport(secondary))
    until_durable(call, primary)
    call.stop()
    assert primary.catalog.newest().digest == secondary.digest()


def test_live_commits(primary: Primary, secondary: Secondary) -> None:
    """Commits that are captured while the peer streams arrive one by one, unread by the source."""
    call = Call(primary, MemoryTransport(secondary))
    for n in range(30):
        primary.write((b"f%d" % (n % 7), noise(9000, n)))
    until_durable(call, primary)
    call.stop()
    assert (None, primary.catalog.newest().digest) == (call.failure, secondary.digest())
