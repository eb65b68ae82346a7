"""The way out for what was typed here and concerns another node: one call for each thing that is asked or read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from agent.config.values import Peer
from agent.core.forwarded import Forwarded, Told
from agent.generations.afar import NamedMoment
from agent.rpc.peers.moment_call import MomentCall
from agent.rpc.peers.moment_codec import Opening, decode_part, encode_opening
from agent.rpc.peers.peer_answers import PeerAnswers, asking
from agent.rpc.peers.peer_codec import Answered, decode_answer, encode_ask, whole_result
from agent.rpc.peers.peer_door import ASK, READ
from agent.rpc.peers.peer_limits import RESULT_MAX, PeerLimits
from agent.rpc.tls import Identities
from agent.stream.messages import bad

_AS_USUAL = PeerLimits()
_NONCE = 32


class PeerCaller:
    """Asks other nodes, as this one's identity. Any thread."""

    def __init__(self, identities: Identities, limits: PeerLimits = _AS_USUAL) -> None:
        self._identities = identities
        self._limits = limits

    def ask(self, peer: Peer, asked: Forwarded, told: Told) -> object:
        """What ``peer`` answers, which is JSON. ``told`` is called at least each second; what it raises ends the call, there too.

        Raises the ``HikaeError`` that was raised there; ``Unreachable`` when the peer does not answer or knows no such calls,
        ``IdentityError`` when it is not who it should be, ``WireError`` for what breaks the agreement."""
        nonce = os.urandom(_NONCE)
        how_far = _HowFar(told, {"phase": asked.operation, "waits_for": f"{peer.name} to answer"})
        request = encode_ask(asked, nonce)
        silence = self._limits.silence
        with asking(peer, ASK, request, self._identities, silence=silence, still=how_far.tell, only=True) as answers:
            first = how_far.next(answers)
            if first.error is None:
                self._identities.check_server(peer.name, first.certificate, nonce, first.proof)
            return _result(first, answers, how_far)

    @contextmanager
    def moment(self, peer: Peer, named: NamedMoment, still: Callable[[], None]) -> Iterator[MomentCall]:
        """A moment of ``peer``'s history, which stays whole as long as the context. ``still``: called at least each second while
        it is waited for; what it raises ends the wait. Raises as :meth:`ask`."""
        nonce = os.urandom(_NONCE)
        request = encode_opening(Opening(nonce, named))
        silence = self._limits.silence
        with asking(peer, READ, request, self._identities, silence=silence, still=still, only=False) as answers:
            first = decode_part(answers.next())
            if first.error is not None:
                raise first.error
            self._identities.check_server(peer.name, first.certificate, nonce, first.proof)
            if first.found is None:
                raise bad("an answer that names no moment")
            yield MomentCall(answers, first.found, peer.name)


class _HowFar:
    """The newest progress of a call, told again and again."""

    def __init__(self, told: Told, newest: dict[str, Any]) -> None:  # Any: JSON
        self._told = told
        self._newest = newest

    def tell(self) -> None:
        self._told(self._newest)

    def next(self, answers: PeerAnswers) -> Answered:
        answered = decode_answer(answers.next())
        self._newest = answered.progress or self._newest
        self.tell()
        return answered


def _result(answered: Answered, answers: PeerAnswers, how_far: _HowFar) -> object:
    parts, size = list[bytes](), 0
    while not answered.last:
        if answered.error is not None:
            raise answered.error
        answered = how_far.next(answers)
        parts.append(answered.part)
        size += len(answered.part)
        if size > RESULT_MAX:
            raise bad("a result that is too long")
    return whole_result(parts)
