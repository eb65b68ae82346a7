"""A call that brings nothing, whatever the cause, ends, says so, and the next one begins anew (law 10)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import CalledOff, TryAgain
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.stream.messages import Hello
from agent.stream.position import PositionBoard
from agent.stream.sending.round import NOT_CAPTURED, NOT_READ
from agent.stream.sending.rounds import FRUITLESS, Fruitless, Stalled
from agent.stream.sending.sender import Sender, SendingContext
from agent.stream.sending.source import PendingMark
from agent.stream.versions import SPOKEN
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import CHUNK, Done, FakeSource, Primary, Secondary


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Primary]:
    one = Primary(tmp_path / "alpha")
    one.write((b"good", b"g" * CHUNK), (b"stuck", b"s" * CHUNK))
    yield one
    one.close()


class Stuck(FakeSource):
    """A source that never gives one file, though capture finds it as it was; time passes with every look."""

    def __init__(self, primary: Primary, clock: ManualClock) -> None:
        super().__init__(primary, primary.catalog.reader())
        self.clock = clock
        self.asked = 0
        primary.change_unseen(b"stuck", b"x" * CHUNK)

    def force(self, objects: Sequence[ObjectId]) -> PendingMark:
        self.asked += 1
        self.clock.advance(6.0)
        return self.answer()

    def answer(self) -> PendingMark:
        return Done(NOTHING)


class Never(Stuck):
    """Capture never comes to it either."""

    def answer(self) -> PendingMark:
        return self

    def wait(self, timeout: float | None) -> CommitNumber:
        self.clock.advance(1.0)
        raise TryAgain("wait", "", "it is not captured yet")


class Off(Stuck):
    """Capture is stopped."""

    def answer(self) -> PendingMark:
        return self

    def wait(self, timeout: float | None) -> CommitNumber:
        raise CalledOff("wait", "", "capture stopped")


def ended(primary: Primary, secondary: Secondary, source: Stuck) -> Exception | None:
    """Why the call ended by itself."""
    newest = primary.catalog.newest()
    assert newest is not None
    hello = Hello("alpha", "web", SPOKEN, primary.epoch, newest.number, b"n" * 32)
    context = SendingContext(lambda: source, primary.spool, primary.feed, source.clock, None)
    sender = Sender("beta", hello, context, board=PositionBoard(), pace=None, owed=primary.told_owed)
    for answers in MemoryTransport(secondary).exchange("beta", sender.outgoing()):
        sender.incoming(answers)
    return sender.talk.failure


def test_rounds_that_bring_nothing_end_the_call_and_name_the_file(primary: Primary, secondary: Secondary) -> None:
    """Other files have arrived; this one stays unread however often it is captured again."""
    clock = ManualClock()
    failure = ended(primary, secondary, Stuck(primary, clock))
    assert isinstance(failure, Stalled)
    assert (b"stuck", True) == (failure.path, NOT_READ in failure.reason)
    assert FRUITLESS <= clock.monotonic() <= 2 * FRUITLESS


def test_a_wait_that_brings_nothing_ends_the_call(primary: Primary, secondary: Secondary) -> None:
    """What is to be captured again never is."""
    failure = ended(primary, secondary, Never(primary, ManualClock()))
    assert isinstance(failure, Stalled)
    assert (b"stuck", True) == (failure.path, NOT_CAPTURED in failure.reason)


def test_a_wait_that_is_called_off_ends_the_call_at_once(primary: Primary, secondary: Secondary) -> None:
    """Nobody would ever answer it."""
    source = Off(primary, ManualClock())
    assert (CalledOff, 1) == (type(ended(primary, secondary, source)), source.asked)


def test_it_is_fruitless_from_the_first_moment_of_nothing() -> None:
    """Until something is brought, which begins it anew."""
    one = Fruitless()
    assert [False, False, True] == [one.nothing(now) for now in (5.0, 64.0, 65.0)]
    one.brought()
    assert (None, False) == (one.began, one.nothing(200.0))
