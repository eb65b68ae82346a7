"""What one node asks another, over real gRPC with real certificates: who may, how much, and an end that always comes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import HikaeError, Refused, TryAgain, Unreachable, WireError
from agent.core.forwarded import Forwarded
from agent.rpc.peers.peer_caller import PeerCaller
from agent.rpc.peers.peer_codec import Answered, encode_ask
from agent.rpc.peers.peer_limits import ARGUMENTS_MAX, NAME_MAX, PART, RESULT_MAX, PeerLimits
from fakes.asked import Answering, AnsweringDesk, Mute
from fakes.eventually import eventually
from fakes.rpc_fakes import Authority

WAIT = Forwarded("web", "wait", {"timeout": 3.0}, "root (uid 0)")
LIMITS = PeerLimits(calls=2, pulse=0.02)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


@pytest.fixture
def desk() -> AnsweringDesk:
    return AnsweringDesk({"seconds": 1.5})


@pytest.fixture
def beta(authority: Authority, desk: AnsweringDesk, tmp_path: Path) -> Iterator[Answering]:
    with Answering(authority.identities("beta"), desk, tmp_path / "beta", LIMITS) as one:
        yield one
        desk.go.set()


def _errors(answers: list[Answered]) -> list[str]:
    return [type(one.error).__name__ for one in answers if one.error is not None]


def test_an_operation_is_asked_and_its_answer_comes(beta: Answering, desk: AnsweringDesk, authority: Authority) -> None:
    """With its arguments, and under the name that the certificate proves."""
    assert {"seconds": 1.5} == beta.ask(authority.identities("alpha"), WAIT)
    assert [("alpha", WAIT)] == desk.asked


def test_a_long_answer_comes_whole(beta: Answering, desk: AnsweringDesk, authority: Authority) -> None:
    """In parts; one that is too long is an error that says so."""
    desk.result = ["x" * (3 * PART)]
    assert desk.result == beta.ask(authority.identities("alpha"), WAIT)
    desk.result = ["x" * (RESULT_MAX + 1)]
    with pytest.raises(HikaeError, match="at most 33,554,432 travel"):
        beta.ask(authority.identities("alpha"), WAIT)


def test_what_is_raised_there_is_raised_here(beta: Answering, desk: AnsweringDesk, authority: Authority) -> None:
    """With its gates and its remedy."""
    desk.failure = Refused("wait", "web", "it is held", "hikae accept web", ({"name": "hold", "ok": False},))
    with pytest.raises(Refused) as refused:
        beta.ask(authority.identities("alpha"), WAIT)
    assert ("hikae accept web", ({"name": "hold", "ok": False},)) == (refused.value.remedy, refused.value.gates)


def test_progress_travels(beta: Answering, desk: AnsweringDesk, authority: Authority) -> None:
    """The newest word, while it goes on."""
    desk.holds = True

    def told(progress: dict[str, Any]) -> None:
        if progress == {"phase": "held", "done_entries": 2}:
            desk.go.set()

    assert {"seconds": 1.5} == beta.ask(authority.identities("alpha"), WAIT, told)


def test_it_ends_when_the_caller_goes(beta: Answering, desk: AnsweringDesk, authority: Authority) -> None:
    """What it asked for is told so, and its seat is free."""
    desk.holds = True

    def told(_progress: dict[str, Any]) -> None:
        if desk.begun.is_set():
            raise ConnectionAbortedError("the operator has gone")

    with pytest.raises(ConnectionAbortedError):
        beta.ask(authority.identities("alpha"), WAIT, told)
    assert (True, False) == (desk.ended.wait(30), desk.go.is_set())
    eventually(lambda: not beta.door.calling())


def test_who_is_no_peer_is_not_heard(beta: Answering, desk: AnsweringDesk, authority: Authority) -> None:
    """A certificate of the same authority is not enough, nor that of a peer once it is revoked."""
    with pytest.raises(HikaeError, match="it is no peer of this node"):
        beta.ask(authority.identities("gamma"), WAIT)
    alpha = authority.identities("alpha").current()
    authority.revoke("alpha")
    assert ["NotPermitted"] == _errors(beta.spoken(alpha, iter((encode_ask(WAIT, b"n"),))))
    assert [] == desk.asked


def test_who_is_no_peer_any_more_is_ended(beta: Answering, desk: AnsweringDesk, authority: Authority) -> None:
    """Also in the middle of what it asked for."""
    desk.holds = True
    ended = list[BaseException]()

    def ask() -> None:
        try:
            beta.ask(authority.identities("alpha"), WAIT)
        except HikaeError as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert desk.begun.wait(30)
    beta.server.allow({})
    thread.join(30)
    assert ([TryAgain], True) == ([type(one) for one in ended], desk.ended.is_set())


def test_a_flood_takes_only_its_own_seats(authority: Authority, tmp_path: Path) -> None:
    """What is too much is told at once; another peer is served meanwhile."""
    desk = AnsweringDesk({})
    desk.holds = True
    with Answering(authority.identities("beta"), desk, tmp_path / "b", LIMITS, ("alpha", "gamma")) as beta:
        alpha, outcomes = authority.identities("alpha"), list[type[BaseException]]()

        def ask() -> None:
            try:
                beta.ask(alpha, WAIT)
            except HikaeError as error:
                outcomes.append(type(error))

        flood = [threading.Thread(target=ask) for _ in range(12)]
        for thread in flood:
            thread.start()
        eventually(lambda: len(outcomes) == 10)
        assert (2, {TryAgain}) == (len(desk.asked), set(outcomes))
        desk.go.set()
        assert {} == beta.ask(authority.identities("gamma"), WAIT)
        for thread in flood:
            thread.join(30)


@pytest.mark.parametrize(
    "request_",
    [
        b"\xff\xff\xff",
        b"",
        encode_ask(Forwarded("web", "x" * (NAME_MAX + 1), {}, ""), b"n" * 32),
        encode_ask(WAIT, b"n" * 65),
        encode_ask(WAIT, b""),
        encode_ask(WAIT, b"n" * 32).replace(b'{"timeout": 3.0}', b'["imeout", 3.0 ]'),
        encode_ask(WAIT, b"n" * 32).replace(b'{"timeout": 3.0}', b"[" * 16),
    ],
    ids=["no message", "empty", "long name", "long nonce", "no nonce", "no object", "no JSON"],
)
def test_what_is_no_request_is_refused(
    request_: bytes, beta: Answering, desk: AnsweringDesk, authority: Authority
) -> None:
    """With a word why, and nothing is begun."""
    answers = beta.spoken(authority.identities("alpha").current(), iter((request_,)))
    assert (["HikaeError"], []) == (_errors(answers), desk.asked)


def test_huge_arguments_do_not_come_in(beta: Answering, desk: AnsweringDesk, authority: Authority) -> None:
    """Over what a message may hold, and over what arguments may."""
    with pytest.raises(WireError):
        encode_ask(Forwarded("web", "wait", {"level": "x" * ARGUMENTS_MAX}, ""), b"n")
    small = encode_ask(Forwarded("web", "wait", {"level": "x" * 100}, ""), b"n" * 32)
    for size in (ARGUMENTS_MAX, 8 << 20):
        beta.spoken(authority.identities("alpha").current(), iter((small + b"\x22" + _varint(size) + b"x" * size,)))
    assert [] == desk.asked


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def test_who_asks_for_nothing_is_cut_off(authority: Authority, tmp_path: Path) -> None:
    """A call without a request ends after a while, and its seat is free."""
    clock, never = ManualClock(), threading.Event()

    def silent() -> Iterator[bytes]:
        never.wait(60)
        yield from ()

    with Answering(authority.identities("beta"), AnsweringDesk(), tmp_path / "b", LIMITS, clock=clock) as beta:
        said = list[list[Answered]]()
        thread = threading.Thread(
            target=lambda: said.append(beta.spoken(authority.identities("alpha").current(), silent()))
        )
        thread.start()
        eventually(beta.door.calling)
        clock.advance(LIMITS.asks_within + 1)
        beta.server.tick()
        thread.join(30)
        never.set()
        assert [[]] == said
        eventually(lambda: not beta.door.calling())


def test_a_node_that_stops_ends_what_it_does_for_others(
    beta: Answering, desk: AnsweringDesk, authority: Authority
) -> None:
    """Its stop waits for nobody's command."""
    desk.holds = True
    failures = list[BaseException]()

    def ask() -> None:
        try:
            beta.ask(authority.identities("alpha"), WAIT)
        except HikaeError as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert desk.begun.wait(30)
    beta.server.stop()
    thread.join(30)
    assert (True, False) == (desk.ended.is_set(), desk.go.is_set())
    assert 1 == len(failures)


@pytest.mark.parametrize("mute_for", [60.0, 0.0], ids=["silent", "ends at once"])
def test_a_silent_peer_is_left(mute_for: float, authority: Authority) -> None:
    """A node that takes the call and says nothing, or ends it without an answer, is named."""
    with Mute(authority.identities("beta"), mute_for) as mute, pytest.raises(Unreachable, match=r"it (has said|ended)"):
        PeerCaller(authority.identities("alpha"), PeerLimits(silence=1.0)).ask(mute.peer, WAIT, lambda _: None)
