"""What a peer says of epochs and commits: how far it is believed, on both sides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import WireError
from agent.core.ids import EPOCH_LIMIT, EPOCH_STEP, NOTHING, Epoch
from agent.stream.footing import LineageBroken, Verdict
from agent.stream.messages import Hello, Refuse
from agent.stream.receiving.epoch_pace import EpochPace, EpochPaceLimits
from agent.stream.receiving.epochs import newest_of
from agent.stream.receiving.receiver import Receiver
from agent.stream.versions import SPOKEN
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import Call, Primary, Secondary, digest_of, sync


def test_a_peer_ahead_in_our_own_reign(tmp_path: Path, primary: Primary, secondary: Secondary) -> None:
    """It has a commit of ours that we do not know: it is not written to."""
    newest = Primary(tmp_path / "newest")
    newest.write((b"x", b"1"))
    newest.write((b"x", b"2"))
    sync(newest, MemoryTransport(secondary))
    before = secondary.digest()
    primary.write((b"y", b"1"))
    call = Call(primary, MemoryTransport(secondary))
    call.join()
    assert isinstance(call.failure, LineageBroken)
    assert (Verdict.REWOUND, before) == (call.failure.verdict, secondary.digest())
    # Its numbers say nothing about ours: nobody who waits for a commit may be told that it is there.
    assert NOTHING == call.board.position.durable
    newest.close()


def test_a_commit_of_the_same_number_that_differs(tmp_path: Path, primary: Primary, secondary: Secondary) -> None:
    """An old image that went on by itself: the peer's newest commit has a number of ours, and another digest."""
    newest = Primary(tmp_path / "newest")
    newest.write((b"x", b"1"))
    sync(newest, MemoryTransport(secondary))
    primary.write((b"x", b"2"))
    call = Call(primary, MemoryTransport(secondary))
    call.join()
    assert isinstance(call.failure, LineageBroken)
    assert (True, digest_of(newest)) == (call.failure.differs, call.failure.digest)
    newest.close()


@pytest.mark.parametrize(
    ("owner", "verdict"), [("alpha", Verdict.REWOUND), ("beta", Verdict.FENCED), ("gamma", Verdict.FOREIGN)]
)
@pytest.mark.parametrize("number", [1, 2, EPOCH_STEP])
def test_a_peer_that_has_met_another_epoch(
    owner: str, verdict: Verdict, number: int, primary: Primary, secondary: Secondary
) -> None:
    """Proven by its welcome: of this node, of its own, or of a third one; nothing is taken."""
    met = Epoch(number, owner, b"2" * 16)
    secondary.catalog.begin_epoch(met)
    primary.write((b"y", b"1"))
    call = Call(primary, MemoryTransport(secondary))
    call.join()
    assert isinstance(call.failure, LineageBroken)
    assert (verdict, met, None) == (call.failure.verdict, call.failure.epoch, secondary.digest())


def test_a_number_that_is_far_above_ours(primary: Primary, secondary: Secondary) -> None:
    """Nothing follows from it but the end of the call."""
    secondary.catalog.begin_epoch(Epoch(1 + EPOCH_STEP, "beta", b"2" * 16))
    primary.write((b"y", b"1"))
    call = Call(primary, MemoryTransport(secondary))
    call.join()
    assert (WireError, None) == (type(call.failure), secondary.digest())


@pytest.mark.parametrize(
    ("epoch", "code"),
    [
        (Epoch(EPOCH_STEP + 2, "alpha", b"2" * 16), "epoch-too-high"),
        (Epoch(EPOCH_LIMIT - 1, "alpha", b"2" * 16), "epoch-too-high"),
        (Epoch(2, "gamma", b"2" * 16), "epoch-not-own"),
        (Epoch(2, "", b"2" * 16), "epoch-not-own"),
        (Epoch(0, "alpha", b"2" * 16), "epoch-not-own"),
        (Epoch(2, "alpha", b""), "epoch-not-own"),
    ],
)
def test_an_epoch_that_a_secondary_does_not_believe(epoch: Epoch, code: str, secondary: Secondary) -> None:
    """The owner is who speaks, and numbers rise by a step at most: nothing is met."""
    receiver = Receiver(Hello("alpha", "web", SPOKEN, epoch, NOTHING, b"n" * 32), secondary.context)
    answers = receiver.open()
    receiver.close()
    assert ([code], []) == ([one.code for one in answers if isinstance(one, Refuse)], secondary.catalog.lineage)


def test_an_id_belongs_to_one_epoch(secondary: Secondary) -> None:
    """The catalog keys epochs by it: a number of its own with the id of another is refused before anything is written."""
    codes = []
    for number in (1, 2, 1):
        hello = Hello("alpha", "web", SPOKEN, Epoch(number, "alpha", b"2" * 16), NOTHING, b"n" * 32)
        receiver = Receiver(hello, secondary.context)
        codes += [part.code for part in receiver.open() if isinstance(part, Refuse)]
        receiver.close()
    assert (["epoch-not-own"], 1) == (codes, len(secondary.catalog.lineage))


def test_numbers_are_not_taken_away_step_by_step(secondary: Secondary) -> None:
    """An epoch without a commit is no ground for the next one."""
    last = EPOCH_STEP + 1
    for number, met in ((last, last), (2 * EPOCH_STEP, last), (last + 1, last + 1)):
        hello = Hello("alpha", "web", SPOKEN, Epoch(number, "alpha", number.to_bytes(16)), NOTHING, b"n" * 32)
        receiver = Receiver(hello, secondary.context)
        receiver.open()
        receiver.close()
        assert met == secondary.catalog.lineage[-1].number


def test_numbers_are_not_taken_away_call_by_call(secondary: Secondary) -> None:
    """A primary that begins one epoch after the other, is believed a few, and one a minute then."""
    clock = ManualClock()
    context = replace(secondary.context, pace=EpochPace(clock, EpochPaceLimits(burst=10)))

    def calls(times: int) -> list[str]:
        codes = []
        for _ in range(times):
            number = newest_of(secondary.catalog.lineage).number + 1
            hello = Hello("alpha", "web", SPOKEN, Epoch(number, "alpha", number.to_bytes(16)), NOTHING, b"n" * 32)
            receiver = Receiver(hello, context)
            codes += [part.code for part in receiver.open() if isinstance(part, Refuse)]
            receiver.close()
        return codes

    assert (["epoch-too-high"] * 20, 10) == (calls(30), len(secondary.catalog.lineage))
    clock.advance(60)
    assert (["epoch-too-high"], 11) == (calls(2), len(secondary.catalog.lineage))
