"""The way out for what was typed here and concerns another node: one call for each thing that is asked."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from agent.config.values import Peer
from agent.core.errors import HikaeError, Unreachable
from agent.core.forwarded import Forwarded, Told
from agent.rpc.client import KEEPALIVE, SIZES, is_unknown, why_ended
from agent.rpc.peer_codec import Answered, decode_answer, encode_ask, whole_result
from agent.rpc.peer_door import ASK
from agent.rpc.peer_limits import RESULT_MAX, PeerLimits
from agent.rpc.tls import Identities, channel_credentials
from agent.stream.messages import bad

_AS_USUAL = PeerLimits()
_OPERATION = "ask the peer"
_NONCE = 32
#: Seconds between two looks whether anybody still waits here.
_STEP = 0.5
_AHEAD = 16


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
        with self._answering(peer, asked, nonce, told) as answers:
            first = answers.next()
            if first.error is None:
                self._identities.check_server(peer.name, first.certificate, nonce, first.proof)
            parts, size, answered = list[bytes](), 0, first
            while not answered.last:
                if answered.error is not None:
                    raise answered.error
                answered = answers.next()
                parts.append(answered.part)
                size += len(answered.part)
                if size > RESULT_MAX:
                    raise bad("a result that is too long")
            return whole_result(parts)

    @contextmanager
    def _answering(self, peer: Peer, asked: Forwarded, nonce: bytes, told: Told) -> Iterator[_Answers]:
        request = encode_ask(asked, nonce)
        waits = {"phase": asked.operation, "waits_for": f"{peer.name} to answer"}
        identity = self._identities.current()
        options = (*KEEPALIVE, *SIZES, ("grpc.ssl_target_name_override", peer.name))
        with grpc.secure_channel(peer.address, channel_credentials(identity), options) as channel:
            ask: Any = channel.stream_stream(ASK)
            call = ask(iter((request,)))
            answers = _Answers(call, lambda error: self._why(error, peer), self._limits.silence, told, waits)
            try:
                answers.start()
                yield answers
            finally:
                call.cancel()
                answers.join()

    def _why(self, error: grpc.RpcError | str, peer: Peer) -> HikaeError:
        """Why there is no answer; as words where gRPC has none."""
        if isinstance(error, str):
            return Unreachable(_OPERATION, peer.name, error, f"see hikae status on {peer.name}")
        if is_unknown(error):
            remedy = "upgrade it, or type the command there"
            return Unreachable(_OPERATION, peer.name, "its release takes no commands from other nodes", remedy)
        found = why_ended(error, _OPERATION, peer.name, peer.address, self._identities.files)
        return type(found)(found.operation, found.subject, found.reason, f"{found.remedy}, or type it on {peer.name}")


class _Answers:
    """What comes back in one call, read by a thread of its own, so that whoever waits for it can stop waiting. ``told``: called
    with the newest progress at least each second; ``newest``: what it is before there is any."""

    def __init__(
        self,
        call: Any,
        why: Callable[[grpc.RpcError | str], HikaeError],
        silence: float,
        told: Told,
        newest: dict[str, Any],
    ) -> None:
        self._call = call  # Any: gRPC's type for it is an iterator that can be cancelled
        self._why = why
        self._silence = silence
        self._told = told
        self._newest = newest
        self._condition = threading.Condition()
        self._came: deque[bytes] = deque()
        self._left = self._ended = False
        self._failure: grpc.RpcError | None = None
        self._thread = threading.Thread(target=self._read, name="hikae-ask")

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def join(self) -> None:
        """Read no more. The call has been cancelled."""
        with self._condition:
            self._left = True
            self._condition.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def next(self) -> Answered:
        """The next message. Raises why there is none, and what ``told`` raises."""
        until = time.monotonic() + self._silence
        while (data := self._next_bytes()) is None:
            self._told(self._newest)
            if time.monotonic() >= until:
                raise self._why(f"it has said nothing for {self._silence:.0f} s")
        answered = decode_answer(data)
        self._newest = answered.progress or self._newest
        self._told(self._newest)
        return answered

    def _next_bytes(self) -> bytes | None:
        """None when nothing came for a moment."""
        with self._condition:
            self._condition.wait_for(lambda: self._came or self._ended, _STEP)
            if self._came:
                self._condition.notify_all()
                return self._came.popleft()
            ended, failure = self._ended, self._failure
        if ended:
            raise self._why(failure or "it ended the call")
        return None

    def _read(self) -> None:
        failure: grpc.RpcError | None = None
        try:
            for data in self._call:
                if not self._put(data):
                    break
        except grpc.RpcError as error:
            failure = error
        with self._condition:
            self._failure, self._ended = failure, True
            self._condition.notify_all()

    def _put(self, data: bytes) -> bool:
        with self._condition:
            self._condition.wait_for(lambda: len(self._came) < _AHEAD or self._left)
            self._came.append(data)
            self._condition.notify_all()
            return not self._left
