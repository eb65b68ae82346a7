"""A moment that is read on another node, over real gRPC: rows, chunks, and what a node that lies is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.core.chunks import name_of, name_of_list
from agent.core.commit import Changes, Quiesced
from agent.core.errors import Damaged, HikaeError, NotFound
from agent.core.ids import commit_number
from agent.generations.afar import FoundMoment, NamedMoment, OpenMoment
from agent.generations.moments import Moment
from agent.rpc.peers.moment_call import MomentCall
from agent.rpc.peers.moment_codec import (
    Opening,
    WantedChanges,
    WantedChunks,
    decode_part,
    encode_opening,
    encode_wanted,
)
from agent.rpc.peers.peer_caller import PeerCaller
from agent.rpc.peers.peer_door import READ
from agent.rpc.peers.peer_limits import CHUNKS_ASKED, PeerLimits
from agent.stream.locator import CommitMark
from fakes.asked import Answering, AnsweringDesk
from fakes.rpc_fakes import Authority

NUMBER = commit_number(1, 7)
MARK = CommitMark(b"t" * 16, NUMBER, b"d" * 32)
FOUND = FoundMoment(MARK, Moment(NUMBER, "20261122T031500Z", 5, "before", True), 3, 4, Quiesced.CRASH, 1)
NAMED = NamedMoment("web", "latest", "", "root (uid 0)")
SINCE = CommitMark(b"t" * 16, commit_number(1, 9), b"e" * 32)
PUTS, DROPS = [b"x" * 300_000, b"y" * 400_000], [b"key"]


class Shelf:
    """Satisfies ``PeersMoments`` and ``OpenMoment``: one moment with some chunks."""

    found = FOUND

    def __init__(self) -> None:
        self.chunks = {name_of(b"data"): b"data", name_of_list(b"list"): b"list", name_of(b"lie"): b"other"}
        self.asked: list[object] = []
        self.closed = 0

    def open_for(self, peer: str, named: NamedMoment) -> OpenMoment:
        """See ``PeersMoments``."""
        self.asked.append((peer, named))
        if named.dataset != "web":
            raise NotFound("find the dataset", named.dataset, "no such dataset")
        return self

    def rows(self, since: CommitMark | None = None) -> Iterator[Changes]:
        """See ``OpenMoment``."""
        self.asked.append(since)
        yield Changes(PUTS, DROPS)

    def chunk(self, name: bytes) -> bytes:
        """See ``OpenMoment``."""
        self.asked.append(name)
        if name not in self.chunks:
            raise NotFound("read", name.hex(), "it is not there")
        return self.chunks[name]

    def close(self) -> None:
        """See ``OpenMoment``."""
        self.closed += 1


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def beta(authority: Authority, shelf: Shelf, tmp_path: Path) -> Iterator[Answering]:
    desk = AnsweringDesk()
    with Answering(authority.identities("beta"), desk, tmp_path / "beta", PeerLimits(calls=2), moments=shelf) as one:
        yield one


@contextmanager
def _reading(beta: Answering, authority: Authority, named: NamedMoment = NAMED) -> Iterator[MomentCall]:
    with PeerCaller(authority.identities("alpha")).moment(beta.peer, named, lambda: None) as call:
        yield call


def test_a_moment_is_read_as_it_is_there(beta: Answering, shelf: Shelf, authority: Authority) -> None:
    """What it is, its rows in parts, its chunks; and it is let go of when the call ends."""
    with _reading(beta, authority) as call:
        parts = list(call.rows(SINCE))
        chunks = call.chunk(name_of(b"data")), call.chunk(name_of_list(b"list"))
        assert (FOUND, (b"data", b"list")) == (call.found, chunks)
    assert (PUTS, DROPS) == ([row for one in parts for row in one.puts], [key for one in parts for key in one.drops])
    assert [("alpha", NAMED), SINCE] == shelf.asked[:2]
    beta.server.stop()
    assert 1 == shelf.closed


def test_chunks_are_fetched_together_and_kept_at_hand(beta: Answering, shelf: Shelf, authority: Authority) -> None:
    """Each travels once."""
    names = [name_of(b"%d" % one) for one in range(CHUNKS_ASKED + 3)]
    shelf.chunks = {name_of(b"%d" % one): b"%d" % one for one in range(len(names))}
    with _reading(beta, authority) as call:
        call.fetch(names)
        assert b"5" == call.chunk(names[5])
    assert names == shelf.asked[1:]


def test_what_is_not_there_is_not_found_and_the_call_goes_on(
    beta: Answering, shelf: Shelf, authority: Authority
) -> None:
    """One chunk that a node lost hides no other."""
    with _reading(beta, authority) as call:
        with pytest.raises(NotFound, match="beta does not have"):
            call.chunk(name_of(b"nowhere"))
        assert b"data" == call.chunk(name_of(b"data"))


def test_a_chunk_that_is_another_is_not_believed(beta: Answering, shelf: Shelf, authority: Authority) -> None:
    """Its name is computed here."""
    with _reading(beta, authority) as call, pytest.raises(Damaged, match="is not that chunk"):
        call.chunk(name_of(b"lie"))


def test_what_was_refused_there_is_raised_here(beta: Answering, authority: Authority) -> None:
    """As with everything that is asked of a peer."""
    with (
        pytest.raises(NotFound, match="no such dataset"),
        _reading(beta, authority, NamedMoment("mail", "latest", "", "")),
    ):
        pass


@pytest.mark.parametrize(
    "requests",
    [
        [encode_wanted(WantedChanges(None))],
        [encode_opening(Opening(b"n", NAMED)), encode_opening(Opening(b"n", NAMED))],
        [encode_opening(Opening(b"n", NAMED)), encode_wanted(WantedChunks([b"x" * 31]))],
        [encode_opening(Opening(b"n", NAMED)), encode_wanted(WantedChunks([b"x" * 32] * (CHUNKS_ASKED + 1)))],
        [encode_opening(Opening(b"n", NAMED)), encode_wanted(WantedChunks([]))],
        [encode_opening(Opening(b"n", NAMED)), b"\xff\xff"],
        [encode_opening(Opening(b"", NAMED))],
        [encode_opening(Opening(b"n", NamedMoment("web", "x" * 300, "", "")))],
    ],
    ids=["rows first", "twice", "cut name", "too many", "none", "no message", "no nonce", "long name"],
)
def test_what_breaks_the_agreement_ends_the_call(
    requests: list[bytes], beta: Answering, shelf: Shelf, authority: Authority
) -> None:
    """With a word why, and what was opened is let go of."""
    alpha = authority.identities("alpha").current()
    said = [decode_part(data) for data in beta.raw(alpha, iter(requests), READ)]
    assert [HikaeError] == [type(one.error) for one in said if one.error is not None]
    beta.server.stop()
    assert len(requests) - 1 == shelf.closed
