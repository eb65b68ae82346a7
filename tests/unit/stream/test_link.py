"""Attempts, pauses and ends, with transports that fail as told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core.clock import SystemClock
from agent.core.errors import HikaeError, Unreachable
from agent.stream.board import Level, PositionBoard
from agent.stream.conversation import RefusedByPeer
from agent.stream.link import Link
from agent.stream.messages import Answers, Batch
from agent.stream.sender import Phase, Sender
from fakes.stream_fakes import MemoryTransport, Primary, Secondary, make_sender


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Primary]:
    one = Primary(tmp_path / "alpha")
    one.write((b"f", b"1"))
    yield one
    one.close()


@pytest.fixture
def secondary(tmp_path: Path) -> Iterator[Secondary]:
    one = Secondary(tmp_path / "beta")
    yield one
    one.close()


class Deaf:
    """Nobody answers; counts the attempts."""

    def __init__(self) -> None:
        self.tried = threading.Semaphore(0)

    def exchange(self, peer: str, outgoing: Iterator[Batch]) -> Iterator[Answers]:
        self.tried.release()
        raise Unreachable("reach the peer", peer, "nothing listens", "start it")

    def cancel(self) -> None:
        """Nothing goes on."""


def link_of(
    transport: object, make: Callable[[], Sender], broken: Callable[[HikaeError], None] = lambda _: None
) -> Link:
    """A link with hardly any pause."""
    return Link("beta", "web", transport, make, SystemClock(), broken, chance=lambda: -0.5)  # type: ignore[arg-type]


def test_replicates_and_stops_cleanly(primary: Primary, secondary: Secondary) -> None:
    """A call is made, streams, and ends with the link."""
    board = PositionBoard()
    link = link_of(MemoryTransport(secondary), lambda: make_sender(primary, board))
    link.start()
    newest = primary.catalog.newest()
    assert newest is not None
    assert board.wait(Level.DURABLE, newest.number, 10)
    link.stop()
    assert (newest.digest, Phase.ENDED, None) == (secondary.digest(), link.state().phase, link.state().error)


def test_dials_again(primary: Primary) -> None:
    """Each failure is told, remembered with its remedy, and followed by another attempt."""
    deaf = Deaf()
    told: list[HikaeError] = []
    link = link_of(deaf, lambda: make_sender(primary), told.append)
    link.start()
    for _ in range(3):
        assert deaf.tried.acquire(timeout=10)
    link.stop()
    error = link.state().error
    assert error is not None
    assert ("disconnected", "start it", False) == (error.code, error.remedy, link.state().connected)
    assert len(told) >= 2


def test_reconnects_after_a_cut(primary: Primary, secondary: Secondary) -> None:
    """The next call takes over where the broken one ended."""
    transport = MemoryTransport(secondary, cut_up=1)
    board = PositionBoard()
    ends: list[HikaeError] = []

    def heal(error: HikaeError) -> None:
        ends.append(error)
        transport.cut_up = None

    link = link_of(transport, lambda: make_sender(primary, board), heal)
    link.start()
    newest = primary.catalog.newest()
    assert newest is not None
    assert board.wait(Level.DURABLE, newest.number, 10)
    link.stop()
    assert 1 == len(ends)


def test_refusal_is_a_problem_of_its_name(primary: Primary, secondary: Secondary) -> None:
    """What the peer says is what status shows."""
    secondary.primary = "gamma"
    told = threading.Event()
    failures: list[HikaeError] = []

    def tell(error: HikaeError) -> None:
        failures.append(error)
        told.set()

    link = link_of(MemoryTransport(secondary), lambda: make_sender(primary), tell)
    link.start()
    assert told.wait(10)
    error = link.state().error
    link.stop()
    assert error is not None
    assert ("not-primary", RefusedByPeer) == (error.code, type(failures[0]))


def test_sender_that_cannot_be_made(primary: Primary) -> None:
    """A dataset that is not to be sent now is asked for again later."""
    asked = threading.Semaphore(0)

    def make() -> Sender:
        asked.release()
        raise Unreachable("open", "web", "it is paused", "resume it")

    link = link_of(Deaf(), make)
    link.start()
    for _ in range(2):
        assert asked.acquire(timeout=10)
    link.stop()
    assert Phase.ENDED is link.state().phase
