"""The answering loop: who may begin, and what becomes of those who do not."""

from __future__ import annotations

import queue
import threading

import pytest

from agent.core import chunks
from agent.core.digest import digest_of
from agent.core.ids import NOTHING, ROOT
from agent.core.patch import between
from agent.core.rows import encode_name
from agent.stream.messages import Batch, Heartbeat, Hello, Progress, Refuse, Welcome
from agent.stream.receiving.intake import Intake
from agent.stream.versions import SPOKEN
from agent.stream.weights import weight
from fakes.hostile import BASE, FILE, ONE, TWO, data, offer, opened, seal, take
from fakes.idle import quick_load
from fakes.stream_fakes import EPOCH, Secondary, noise

HELLO = Hello("alpha", "web", SPOKEN, EPOCH, NOTHING, b"n" * 32)


def nothing() -> None:
    """No transport to tear down."""


def answers_to(secondary: Secondary, *batches: Batch, peer: str = "alpha") -> list[object]:
    """All parts that are answered."""
    intake = secondary.intake(peer, nothing)
    return [part for answers in intake.answers(iter(batches)) for part in answers]


def test_welcome_then_progress(secondary: Secondary) -> None:
    """A hello is answered, and so is a heartbeat."""
    kinds = [type(part) for part in answers_to(secondary, (HELLO,), (Heartbeat(1.0),))]
    assert [Welcome, Progress] == kinds


@pytest.mark.parametrize("first", [(), (Heartbeat(1.0),), (HELLO, Heartbeat(1.0))])
def test_something_else_than_a_hello(secondary: Secondary, first: Batch) -> None:
    """The call is refused."""
    (refuse,) = answers_to(secondary, first)
    assert isinstance(refuse, Refuse)
    assert "protocol" == refuse.code


def test_hello_of_another(secondary: Secondary) -> None:
    """A node speaks for the name in its certificate only."""
    (refuse,) = answers_to(secondary, (HELLO,), peer="gamma")
    assert isinstance(refuse, Refuse)
    assert "identity" == refuse.code


def test_unknown_version(secondary: Secondary) -> None:
    """Versions are agreed in the first message."""
    (refuse,) = answers_to(secondary, (Hello("alpha", "web", (99,), EPOCH, NOTHING, b""),))
    assert isinstance(refuse, Refuse)
    assert "version" == refuse.code


def test_hello_that_never_comes(secondary: Secondary) -> None:
    """A handshake that never ends is ended here."""
    pipe: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
    intake = Intake("alpha", secondary, secondary.seats, secondary.clock, cancel=nothing, hello_within=0.01)
    parts = [part for answers in intake.answers(iter(pipe.get, None)) for part in answers]
    pipe.put(None)
    assert ["silent"] == [part.code for part in parts if isinstance(part, Refuse)]


def test_silent_peer_is_left(secondary: Secondary) -> None:
    """After the welcome nothing comes, not even heartbeats: the call ends by its deadline."""
    pipe: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
    pipe.put((HELLO,))
    intake = secondary.intake("alpha", nothing)
    answers = intake.answers(iter(pipe.get, None))
    assert isinstance(next(answers)[0], Welcome)
    moved = threading.Timer(0.05, secondary.clock.advance, (31.0,))
    moved.start()
    parts = [part for some in answers for part in some]
    moved.join()
    pipe.put(None)
    last = parts[-1]
    assert isinstance(last, Refuse)
    assert "silent" == last.code


def test_what_came_is_told_at_once(secondary: Secondary) -> None:
    """Of little, too, when nothing more is there: on a slow link it would be long until it is much."""
    pipe: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
    pipe.put((HELLO,))
    answers = secondary.intake("alpha", nothing).answers(iter(pipe.get, None))
    assert isinstance(next(answers)[0], Welcome)
    load, consumed = quick_load(), 0
    for number in range(3):
        load.chunk(chunks.DATA, chunks.name_of(b"%d" % number), b"%d" % number)
        batch = load.take()
        consumed += weight(batch)
        pipe.put(batch)
        (progress,) = next(answers)
        assert isinstance(progress, Progress)
        assert consumed == progress.consumed
    pipe.put(None)
    assert [] == list(answers)


def test_a_patch_of_what_is_not_here_leaves_what_was_sealed_before(secondary: Secondary) -> None:
    """It waited for its sync only; what came of the next commit is taken back."""
    old, new = noise(5000), noise(5000) + b"more"
    load = quick_load()
    load.chunk(chunks.DATA, chunks.name_of(new), new, between(new, chunks.name_of(old), old))
    added = encode_name(ROOT, b"again", FILE)
    first = (data(), offer(BASE), seal(BASE, len(BASE)))
    refuse = answers_to(secondary, (HELLO,), (*first, offer([added], (), TWO, ONE), *load.take()))[-1]
    assert isinstance(refuse, Refuse)
    assert ("busy", digest_of(BASE)) == (refuse.code, secondary.digest())
    after = opened(secondary)
    rows = [*BASE, encode_name(ROOT, b"other", FILE)]
    take(after, offer(rows[-1:], (), TWO, ONE), seal(rows, 1, TWO, ONE))
    assert digest_of(rows) == secondary.digest()
