"""What comes back in one call to a peer, read by a thread of its own, so that whoever waits for it can stop waiting."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from agent.config.values import Peer
from agent.core.errors import HikaeError, Unreachable
from agent.rpc.client import KEEPALIVE, SIZES, is_unknown, why_ended
from agent.rpc.tls import Identities, channel_credentials

_OPERATION = "ask the peer"
#: Seconds between two looks whether anybody still waits here.
_STEP = 0.5
_AHEAD = 16


class PeerAnswers:
    """Sends requests, the first at once and others with :meth:`send`, and gives the answers. ``still``: called at least each
    second while one is waited for; it raises once nobody waits."""

    def __init__(
        self,
        peer: Peer,
        why: Callable[[grpc.RpcError | str], HikaeError],
        silence: float,
        still: Callable[[], None],
    ) -> None:
        self._why = why
        self._silence = silence
        self._still = still
        self._condition = threading.Condition()
        self._requests: deque[bytes] = deque()
        self._came: deque[bytes] = deque()
        self._left = self._ended = False
        self._failure: grpc.RpcError | None = None
        self._thread: threading.Thread | None = None
        self._name = f"hikae-ask-{peer.name}"

    def start(self, call: Any) -> None:  # Any: gRPC's type for it is an iterator that can be cancelled
        """Begin to read the answers of a call."""
        self._thread = threading.Thread(target=self._read, args=(call,), name=self._name)
        self._thread.start()

    def join(self) -> None:
        """Ask and read no more. The call has been cancelled."""
        with self._condition:
            self._left = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join()

    def send(self, request: bytes) -> None:
        """A further request."""
        with self._condition:
            self._requests.append(request)
            self._condition.notify_all()

    def requests(self, first: bytes, *, only: bool) -> Iterator[bytes]:
        """What gRPC sends, in its own thread: ``first``, and unless that is the ``only`` one what is sent later."""
        yield first
        while not only:
            with self._condition:
                self._condition.wait_for(lambda: self._requests or self._left or self._ended)
                if not self._requests:
                    return
                request = self._requests.popleft()
            yield request

    def next(self) -> bytes:
        """The next message. Raises why there is none, and what ``still`` raises."""
        until = time.monotonic() + self._silence
        while (data := self._next()) is None:
            self._still()
            if time.monotonic() >= until:
                raise self._why(f"it has said nothing for {self._silence:.0f} s")
        return data

    def _next(self) -> bytes | None:
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

    def _read(self, call: Any) -> None:
        failure: grpc.RpcError | None = None
        try:
            for data in call:
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


@contextmanager
def asking(
    peer: Peer,
    method: str,
    first: bytes,
    identities: Identities,
    *,
    silence: float,
    still: Callable[[], None],
    only: bool,
) -> Iterator[PeerAnswers]:
    """A call of ``method``, which ends with the context. ``only``: there is one request; else see ``PeerAnswers``."""
    options = (*KEEPALIVE, *SIZES, ("grpc.ssl_target_name_override", peer.name))
    credentials = channel_credentials(identities.current())
    with grpc.secure_channel(peer.address, credentials, options) as channel:
        one = PeerAnswers(peer, lambda error: _why(error, peer, identities), silence, still)
        stream: Any = channel.stream_stream(method)
        call = stream(one.requests(first, only=only))
        try:
            one.start(call)
            yield one
        finally:
            call.cancel()
            one.join()


def _why(error: grpc.RpcError | str, peer: Peer, identities: Identities) -> HikaeError:
    """Why there is no answer; as words where gRPC has none."""
    if isinstance(error, str):
        return Unreachable(_OPERATION, peer.name, error, f"see hikae status on {peer.name}")
    if is_unknown(error):
        remedy = "upgrade it, or type the command there"
        return Unreachable(_OPERATION, peer.name, "its release takes no such calls from other nodes", remedy)
    found = why_ended(error, _OPERATION, peer.name, peer.address, identities.files)
    return type(found)(found.operation, found.subject, found.reason, f"{found.remedy}, or type it on {peer.name}")
