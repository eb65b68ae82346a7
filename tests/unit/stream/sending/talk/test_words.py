"""How much a peer may say."""

from __future__ import annotations

import pytest

from agent.core.clock import ManualClock
from agent.core.commit import Position
from agent.core.errors import WireError
from agent.core.ids import NO_EPOCH, NOTHING
from agent.stream.messages import VERSION, Heartbeat, Progress, Refuse, Welcome
from agent.stream.sending.talk.call import Conversation
from agent.stream.sending.talk.refusals import RefusedByPeer
from agent.stream.sending.talk.words import A_SECOND, AT_ONCE, FOR_EACH, Words
from fakes.stream_fakes import conversation

WELCOME = Welcome("beta", NO_EPOCH, NOTHING, b"", NOTHING, 2 << 20, VERSION)


def _talks_on(talk: Conversation, parts: int) -> None:
    for _ in range(AT_ONCE + 1):
        talk.hear((Progress(Position(), 0),) * parts)


@pytest.mark.parametrize("parts", [0, 1, 50])
def test_a_peer_that_talks_without_an_end_is_left(parts: int) -> None:
    """By parts, and by messages, which cost as much when they are empty."""
    talk = conversation(ManualClock())
    talk.hear((WELCOME,))
    with pytest.raises(WireError, match="more words than there is to say"):
        _talks_on(talk, parts)


def test_who_is_told_much_may_answer_much() -> None:
    """For ever, as long as it says no more than there is to say."""
    words = Words(ManualClock())
    for _ in range(10 * AT_ONCE):
        words.told(1)
        words.heard(FOR_EACH)


def test_a_peer_may_say_how_it_is() -> None:
    """Some words in a second, whatever it is told; what it did not say does not add up."""
    clock = ManualClock()
    words = Words(clock)
    for _ in range(100):
        words.heard(A_SECOND)
        clock.advance(1.0)
    clock.advance(3600.0)
    words.heard(AT_ONCE)
    with pytest.raises(WireError):
        words.heard(1)


def test_what_a_call_says_is_counted() -> None:
    """Heartbeats too: each is answered."""
    clock = ManualClock()
    talk = conversation(clock)
    talk.hear((WELCOME,))
    for _ in range(AT_ONCE):
        clock.advance(5.0)
        assert isinstance(next(talk.breathe())[0], Heartbeat)
        talk.hear((Progress(Position(), 0),) * FOR_EACH)


@pytest.mark.parametrize(("word", "code"), [("busy", "busy"), ("rewound", "refused"), ("x" * 1000, "refused")])
def test_the_word_of_a_refusal_is_none_of_ours(word: str, code: str) -> None:
    """A peer cannot name a problem as it likes, and what it says is to be typed is shown as its word."""
    refused = RefusedByPeer("beta", Refuse(word, "because", "hikae accept web"))
    assert (code, "because", "hikae accept web (says beta)") == (refused.code, refused.reason, refused.remedy)


def test_room_is_made_where_it_is_missing() -> None:
    """What a peer calls its own node is said of that node; where it says nothing, nothing is said."""
    told = [
        RefusedByPeer("beta", Refuse("disk-reserve", "full", words)).remedy for words in ("raise it on this node", "")
    ]
    assert ["on beta: raise it on this node (says beta)", ""] == told
