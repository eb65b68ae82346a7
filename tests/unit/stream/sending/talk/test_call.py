"""Credit, questions and deadlines, by a clock that is moved by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.config.values import Limit, Limits
from agent.core.clock import ManualClock
from agent.core.commit import Position
from agent.core.errors import TryAgain, Unreachable, WireError
from agent.core.ids import NO_EPOCH, NOTHING, commit_number
from agent.stream.messages import (
    HEARTBEAT,
    SILENCE,
    VERSION,
    Data,
    Heartbeat,
    Need,
    Progress,
    Refuse,
    Seal,
    Sums,
    Welcome,
    Withdraw,
)
from agent.stream.sending.pace import Pace
from agent.stream.sending.talk.call import STANDSTILL, Conversation, Ended
from agent.stream.sending.talk.refusals import RefusedByPeer
from fakes.stream_fakes import conversation

WELCOME = Welcome("beta", NO_EPOCH, NOTHING, b"", NOTHING, 2 << 20, VERSION)
MIB = Data(b"\0", b"\0", [1 << 20], [1 << 20], bytes(1 << 20))
PART_SIZE = 16 << 10
PART = Data(b"\0", b"\0", [PART_SIZE], [PART_SIZE], bytes(PART_SIZE))


def welcomed(clock: ManualClock, pace: Pace | None = None) -> Conversation:
    """A conversation that has begun."""
    talk = conversation(clock, pace)
    talk.hear((WELCOME,))
    return talk


def progress(consumed: int) -> Progress:
    """So many bytes are worked off."""
    return Progress(Position(), consumed)


def test_credit_holds_back() -> None:
    """What exceeds the credit waits until the peer has worked off some."""
    clock = ManualClock()
    talk = welcomed(clock)
    assert [(MIB,)] == list(talk.say((MIB,)))
    clock.advance(HEARTBEAT)
    waiting = talk.say((MIB,))
    assert isinstance(next(waiting)[0], Heartbeat)
    talk.hear((progress((1 << 20) + 10),))
    assert [(MIB,)] == list(waiting)


def test_what_is_left_is_counted_in_the_clear() -> None:
    """A batch that compresses well counts for what it stands for, as soon as it is handed over, until the peer has worked it off;
    the peer's count is taken by whole batches."""
    packed = Data(b"\0", b"\1", [1 << 20], [1000], bytes(1000))
    talk = welcomed(ManualClock())
    list(talk.say((packed,)))
    assert [(PART,)] == list(talk.say((PART,)))
    assert (0, (1 << 20) + PART_SIZE) == (talk.under_way.worked_off, talk.under_way.left_raw)
    talk.hear((progress(1010),))
    assert (1 << 20, PART_SIZE, (1 << 20) + PART_SIZE) == (
        talk.under_way.worked_off,
        talk.under_way.left_raw,
        talk.under_way.given_raw,
    )
    talk.hear((progress(talk.under_way.sent),))
    assert ((1 << 20) + PART_SIZE, 0) == (talk.under_way.worked_off, talk.under_way.left_raw)


def test_standstill_is_noticed() -> None:
    """A peer that beats but takes nothing is given up after its deadline."""
    clock = ManualClock()
    talk = welcomed(clock)
    list(talk.say((MIB,)))
    for _ in range(int(STANDSTILL // 10)):
        clock.advance(10)
        talk.hear((progress(0),))
    assert not talk.watch(0)
    clock.advance(1)
    talk.hear((progress(0),))
    assert (True, Unreachable) == (talk.watch(0), type(talk.failure))


def test_silence_is_noticed() -> None:
    """A peer that says nothing is given up, also before its welcome."""
    clock = ManualClock()
    talk = conversation(clock)
    clock.advance(SILENCE + 1)
    assert (True, Unreachable) == (talk.watch(0), type(talk.failure))
    with pytest.raises(Ended):
        next(talk.wait(lambda: False))


@pytest.mark.parametrize(
    "answers",
    [
        (WELCOME,),
        (Need(1, ()),),
        (progress(1),),
        (progress(-1),),
        (Sums(NOTHING),),
    ],
)
def test_impossible_answers(answers: tuple[Welcome | Need | Progress, ...]) -> None:
    """A second welcome, answers to nothing, counts of what was never sent."""
    talk = welcomed(ManualClock())
    with pytest.raises(WireError):
        talk.hear(answers)


def test_answer_before_the_welcome() -> None:
    """The welcome comes first."""
    with pytest.raises(WireError):
        conversation(ManualClock()).hear((progress(0),))


def test_need_beyond_the_question() -> None:
    """Indexes are those of the names that were asked."""
    talk = welcomed(ManualClock())
    question = talk.unanswered.question(3)
    with pytest.raises(WireError):
        talk.hear((Need(question, (3,)),))


@pytest.mark.parametrize("indexes", [(1, 1), (2, 1), (0, 3), (-1,)])
def test_need_that_does_not_rise(indexes: tuple[int, ...]) -> None:
    """Each index once, in order: nothing is read twice for one question."""
    talk = welcomed(ManualClock())
    question = talk.unanswered.question(3)
    with pytest.raises(WireError):
        talk.hear((Need(question, indexes),))


def sealed_to(number: int) -> Conversation:
    """A conversation with a peer that came with commit 5 and was sealed up to ``number``."""
    talk = conversation(ManualClock())
    talk.hear((replace(WELCOME, durable=commit_number(1, 5), applied=commit_number(1, 3)),))
    list(talk.say((Seal(commit_number(1, number), NOTHING, 0, True, b"", 0, 0, 0, 0),)))
    return talk


def told(durable: int, applied: int) -> Progress:
    """A position in epoch 1; 0 for nothing."""
    numbers = [commit_number(1, seq) if seq else NOTHING for seq in (durable, applied)]
    return Progress(Position(*numbers), 0)


@pytest.mark.parametrize(("durable", "applied"), [(5, 5), (7, 0), (9, 9), (9, 4)])
def test_positions_that_may_be(durable: int, applied: int) -> None:
    """What the peer had, what was sealed in this call, what is between; of that, anything applied."""
    talk = sealed_to(9)
    talk.hear((told(durable, applied),))
    assert told(durable, applied).position == talk.position


@pytest.mark.parametrize(("durable", "applied"), [(10, 0), (999_999, 999_999), (4, 0), (0, 0), (7, 8)])
def test_positions_that_cannot_be(durable: int, applied: int) -> None:
    """Beyond what was sealed, before what was there, applied before durable: nobody who waits is told so."""
    talk = sealed_to(9)
    before = talk.position
    with pytest.raises(WireError):
        talk.hear((told(durable, applied),))
    assert before == talk.position


def test_a_position_does_not_fall_within_a_call() -> None:
    """What was durable stays so."""
    talk = sealed_to(9)
    talk.hear((told(8, 8),))
    with pytest.raises(WireError):
        talk.hear((told(7, 7),))


def test_the_welcome_is_judged_before_what_follows_it() -> None:
    """A refusal in the same breath does not hide what the welcome proves."""

    def judge(_: Welcome) -> None:
        raise TryAgain("judge", "", "as it was told to")

    with pytest.raises(TryAgain):
        conversation(ManualClock(), judge=judge).hear((WELCOME, Refuse("busy", "", "")))


def test_refusal_says_why() -> None:
    """Its words reach the operator."""
    with pytest.raises(RefusedByPeer) as caught:
        welcomed(ManualClock()).hear((Refuse("stale-epoch", "reason", "remedy", 7),))
    assert ("stale-epoch", "reason") == (caught.value.code, caught.value.reason)


def paced(clock: ManualClock, rate: int) -> tuple[Conversation, list[Limits]]:
    """A conversation at so many bytes a second, and the limits in force, to be replaced."""
    now = [Limits(steady=(Limit(None, rate),))]
    return welcomed(clock, Pace(lambda: now[0], lambda: False, clock)), now


def test_the_pace_is_kept_with_heartbeats() -> None:
    """What goes beyond the rate waits; heartbeats go on, what weighs nothing passes, and no deadline is broken."""
    clock = ManualClock()
    talk, _ = paced(clock, 10_000)
    assert [(MIB,)] == list(talk.say((MIB,)))
    talk.hear((progress((1 << 20) + 10),))
    waiting = talk.say((MIB,))
    for _ in range(12):
        clock.advance(HEARTBEAT)
        talk.hear((progress((1 << 20) + 10),))
        assert isinstance(next(waiting)[0], Heartbeat)
    assert not talk.watch(0)
    assert 1 == len(list(talk.say((Withdraw(NOTHING),))))
    clock.advance(60)
    assert [(MIB,)] == list(waiting)


def test_limits_that_were_lifted_end_the_wait() -> None:
    """What waits for its turn goes as soon as it may."""
    clock = ManualClock()
    talk, now = paced(clock, 10_000)
    list(talk.say((MIB,)))
    talk.hear((progress((1 << 20) + 10),))
    clock.advance(HEARTBEAT)
    waiting = talk.say((MIB,))
    assert isinstance(next(waiting)[0], Heartbeat)
    now[0] = Limits()
    assert [(MIB,)] == list(waiting)


def test_a_call_that_closes_does_not_wait_for_its_turn() -> None:
    """It ends cleanly; what could go at once still goes."""
    talk, _ = paced(ManualClock(), 1)
    talk.close()
    assert [(MIB,)] == list(talk.say((MIB,)))
    talk.hear((progress((1 << 20) + 10),))
    with pytest.raises(Ended):
        list(talk.say((MIB,)))
    assert (True, None) == (talk.over, talk.failure)


def test_a_question_that_is_never_answered_ends_the_call() -> None:
    """The peer beats and takes everything, and does not say what it lacks."""
    clock = ManualClock()
    talk = welcomed(clock)
    talk.unanswered.question(1)
    list(talk.say((MIB,)))
    talk.hear((progress(talk.under_way.sent),))
    for _ in range(int(STANDSTILL // 10)):
        clock.advance(10)
        talk.hear((progress(talk.under_way.sent),))
    assert not talk.watch(0)
    clock.advance(1)
    talk.hear((progress(talk.under_way.sent),))
    assert (True, Unreachable) == (talk.watch(0), type(talk.failure))
