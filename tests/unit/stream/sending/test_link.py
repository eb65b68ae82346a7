"""Attempts, pauses and ends, with transports that fail as told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.config.values import Limit, Limits
from agent.core.clock import ManualClock, SystemClock
from agent.core.errors import HikaeError, Unreachable, WireError
from agent.core.ids import NOTHING, CommitNumber
from agent.core.problem_codes import BUSY, DIGEST_DIFFERS, UNKNOWN_DATASET
from agent.stream.footing import LineageBroken
from agent.stream.messages import CREDIT, VERSION, Answers, Batch, Hello, Refuse, Welcome
from agent.stream.position import Level, PositionBoard
from agent.stream.sending.link import Dialling, Link
from agent.stream.sending.pace import Pace
from agent.stream.sending.rounds import Stalled
from agent.stream.sending.sender import CallPhase, Sender
from agent.stream.sending.talk.refusals import RefusedByPeer
from fakes.eventually import eventually
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import Primary, Secondary, make_sender

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Primary]:
    one = Primary(tmp_path / "alpha")
    one.write((b"f", b"1"))
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


AT_ONCE = Dialling(lambda: -0.5)


def ignored(_: HikaeError) -> None:
    """Nobody acts on a failure."""


def link_of(transport: object, make: Callable[[], Sender], broken: Callable[[HikaeError], None] = ignored) -> Link:
    """A link with hardly any pause."""
    return Link("beta", "web", transport, make, SystemClock(), broken=broken, dialling=AT_ONCE)  # type: ignore[arg-type]


def test_replicates_and_stops_cleanly(primary: Primary, secondary: Secondary) -> None:
    """A call is made, streams, and ends with the link."""
    board = PositionBoard()
    link = link_of(MemoryTransport(secondary), lambda: make_sender(primary, board))
    link.start()
    newest = primary.catalog.newest()
    assert newest is not None
    assert board.wait(Level.DURABLE, newest.number, 40)
    link.stop()
    assert (newest.digest, CallPhase.ENDED, None) == (secondary.digest(), link.state().phase, link.state().error)


def test_dials_again(primary: Primary) -> None:
    """Each failure is told, remembered with its remedy, and followed by another attempt."""
    deaf = Deaf()
    told: list[HikaeError] = []
    link = link_of(deaf, lambda: make_sender(primary), told.append)
    link.start()
    for _ in range(3):
        assert deaf.tried.acquire(timeout=40)
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
    assert board.wait(Level.DURABLE, newest.number, 40)
    link.stop()
    assert 1 == len(ends)


class Once:
    """The first call fails; then another transport answers."""

    def __init__(self, then: MemoryTransport, failure: HikaeError) -> None:
        self._then = then
        self._failure = failure
        self._tried = False

    def exchange(self, peer: str, outgoing: Iterator[Batch]) -> Iterator[Answers]:
        if not self._tried:
            self._tried = True
            raise self._failure
        return self._then.exchange(peer, outgoing)

    def cancel(self) -> None:
        self._then.cancel()


@pytest.mark.parametrize(
    ("failure", "told_after_two_seconds"),
    [
        (Unreachable("reach the peer", "beta", "nothing listens", "start it"), False),
        (RefusedByPeer("beta", Refuse(BUSY, "web is not open there now", "")), False),
        (RefusedByPeer("beta", Refuse(UNKNOWN_DATASET, "there is no web", "")), False),
        (RefusedByPeer("beta", Refuse(DIGEST_DIFFERS, "it comes out otherwise", "")), True),
        (WireError("replicate", "beta", "what it says cannot be", "upgrade it"), True),
    ],
)
def test_an_old_failure_is_no_news_in_a_call_that_lasts(
    primary: Primary, secondary: Secondary, failure: HikaeError, told_after_two_seconds: bool
) -> None:
    """A peer whose hours are closed does not stream: what its welcome ends is told until then, other failures for a minute."""
    clock = ManualClock()
    closed = Limits(first_sync=(Limit((0, 1), None),))
    pace = Pace(lambda: closed, lambda: True, clock, lambda _: NOON)
    transport = Once(MemoryTransport(secondary), failure)
    link = Link(
        "beta", "web", transport, lambda: make_sender(primary, pace=pace), clock, broken=ignored, dialling=AT_ONCE
    )
    link.start()
    eventually(lambda: link.state().phase is CallPhase.CATCHUP)
    assert link.state().error is not None
    clock.advance(2)
    assert told_after_two_seconds == (link.state().error is not None)
    clock.advance(60)
    state = link.state()
    assert (None, True) == (state.error, state.connected)
    link.stop()


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
    assert told.wait(40)
    error = link.state().error
    link.stop()
    assert error is not None
    assert ("not-primary", RefusedByPeer) == (error.code, type(failures[0]))


class HangsUp:
    """A peer that proves what it has and is gone, before the thread that would speak to it is woken."""

    def __init__(self, say: Callable[[Hello], Welcome]) -> None:
        self._say = say

    def exchange(self, peer: str, outgoing: Iterator[Batch]) -> Iterator[Answers]:
        hello = next(outgoing)[0]
        assert isinstance(hello, Hello)
        yield (self._say(hello),)

    def cancel(self) -> None:
        """It is over."""


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [(5, ("rewound", LineageBroken)), (0, ("disconnected", Unreachable))],
    ids=["unknown", "known"],
)
def test_what_a_peer_proved_is_judged_although_it_hung_up(
    primary: Primary, ahead: int, expected: tuple[str, type[HikaeError]]
) -> None:
    """A commit of ours that we do not know is more than the lost link; one that we know is not."""
    newest = primary.catalog.newest()
    assert newest is not None
    number = CommitNumber(newest.number + ahead)

    def say(hello: Hello) -> Welcome:
        bare = Welcome("beta", hello.epoch, number, newest.digest, NOTHING, CREDIT, VERSION)
        return replace(bare, met=hello.epoch)

    told: queue.SimpleQueue[HikaeError] = queue.SimpleQueue()
    link = link_of(HangsUp(say), lambda: make_sender(primary), told.put)
    link.start()
    failure = told.get(timeout=30)
    error = link.state().error
    link.stop()
    assert error is not None
    assert expected == (error.code, type(failure))


def test_sender_that_cannot_be_made(primary: Primary) -> None:
    """A dataset that is not to be sent now is asked for again later."""
    asked = threading.Semaphore(0)

    def make() -> Sender:
        asked.release()
        raise Unreachable("open", "web", "it is paused", "resume it")

    link = link_of(Deaf(), make)
    link.start()
    for _ in range(2):
        assert asked.acquire(timeout=40)
    link.stop()
    assert CallPhase.ENDED is link.state().phase


class NeverEnds:
    """A transport whose answers do not end with our half of the call: the peer hangs."""

    def __init__(self, inner: MemoryTransport) -> None:
        self.calls = 0
        self._inner = inner
        self._cancelled = threading.Event()

    def exchange(self, peer: str, outgoing: Iterator[Batch]) -> Iterator[Answers]:
        self.calls += 1
        self._cancelled.clear()
        yield from self._inner.exchange(peer, outgoing)
        assert self._cancelled.wait(30)

    def cancel(self) -> None:
        self._cancelled.set()
        self._inner.cancel()


def test_a_peer_that_does_not_end_a_call_is_dialled_again(primary: Primary, secondary: Secondary) -> None:
    """After a pause sending goes on, whatever became of the call that the pause ended."""
    transport, senders = NeverEnds(MemoryTransport(secondary)), list[Sender]()

    def make() -> Sender:
        senders.append(make_sender(primary))
        return senders[-1]

    link = Link("beta", "web", transport, make, SystemClock(), broken=ignored, dialling=Dialling(lambda: -0.5, 0.01))
    link.start()
    eventually(lambda: link.state().phase is CallPhase.STREAMING)
    senders[0].close()
    eventually(lambda: transport.calls > 1)
    link.stop()
    assert transport.calls > 1


def test_a_call_that_brought_nothing_is_named_until_one_does(primary: Primary, secondary: Secondary) -> None:
    """The problem has a word of its own and the path; the link dials again, with a source of its own."""
    opened = []

    def make() -> Sender:
        opened.append(True)
        if len(opened) < 3:
            raise Stalled("beta", "1 files cannot be read", b"stuck")
        return make_sender(primary)

    link = link_of(MemoryTransport(secondary), make)
    link.start()
    seen = eventually(lambda: link.state().error)
    assert seen is not None
    assert ("stalled", b"stuck") == (seen.code, seen.path)
    assert eventually(lambda: link.state().phase is CallPhase.STREAMING and link.state().error is None)
    link.stop()
    assert 3 == len(opened)


def test_a_link_that_was_never_begun_can_be_stopped(primary: Primary) -> None:
    """Something else failed before, and everything is closed."""
    link = Link("beta", "web", Deaf(), lambda: make_sender(primary, PositionBoard()), primary.clock, broken=ignored)
    link.stop()
    assert 0 == link.state().attempts
