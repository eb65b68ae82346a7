"""The way in for what was typed on another node: who asks, whether there is a seat, and an end that always comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

from agent import pki
from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.core.forwarded import Forwarded, ForwardedDesk
from agent.rpc import connections
from agent.rpc.asked_work import AskedWork
from agent.rpc.peer_codec import decode_ask, encode_failure, encode_introduced, encode_progress, encode_result
from agent.rpc.peer_limits import PeerLimits
from agent.rpc.tls import RECHECK_SECONDS, Identities, presented
from agent.stream.messages import bad
from agent.stream.receiving.one_call import PeerSeats

ASK = "/hikae.v1.PeerService/Ask"
_AS_USUAL = PeerLimits()


@dataclass(eq=False, slots=True)
class _Call:
    """One that is served. ``asked``: its request has come; ``work``: what it asked for, once it is begun."""

    peer: str
    context: grpc.ServicerContext
    began: float
    asked: bool = False
    left: bool = False
    work: AskedWork | None = None
    came_from: tuple[str, int] = field(default=("", 0))

    def leave(self) -> None:
        """End soon. Does not wait."""
        self.left = True
        if self.work is not None:
            self.work.leave()
        elif not self.asked:
            self.context.cancel()


class PeerDoor:
    """Serves ``PeerService``: ``desk`` decides and does what is asked. ``peers``: who may ask, until :meth:`allow` says
    otherwise."""

    def __init__(
        self,
        desk: ForwardedDesk,
        identities: Identities,
        clock: Clock,
        peers: Collection[str],
        limits: PeerLimits = _AS_USUAL,
        recheck: float = RECHECK_SECONDS,
    ) -> None:
        self._desk = desk
        self._identities = identities
        self._clock = clock
        self._limits = limits
        self._recheck = recheck
        self._seats = PeerSeats(self._each(peers))
        self._lock = threading.Lock()
        self._calls: set[_Call] = set()

    @property
    def threads(self) -> int:
        """How many calls there may be at once."""
        return self._seats.total

    def allow(self, peers: Collection[str]) -> None:
        """From now on these peers may ask; calls of others end. Any thread."""
        self._seats.allow(self._each(peers))
        self._end(lambda call: call.peer not in peers)

    def tick(self) -> None:
        """Once a second: whoever asks for nothing is cut off."""
        late = self._clock.monotonic() - self._limits.asks_within
        self._end(lambda call: not call.asked and call.began < late)

    def leave(self) -> None:
        """The node stops: all calls end soon."""
        self._end(lambda _call: True)

    def calling(self) -> set[tuple[str, int]]:
        """Address and port of those that are served."""
        with self._lock:
            return {call.came_from for call in self._calls}

    def serve(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """One call, as gRPC hands it over."""
        try:
            shown = presented(context)
            peer, own = self._identities.client_name(shown), self._identities.current()
            with self._seats.taken(peer), self._open(peer, context) as call:
                yield from self._answered(call, requests, shown, own)
        except HikaeError as error:
            yield encode_failure(error)
        except grpc.RpcError:
            return  # the caller has gone, or was cut off before it had asked for anything

    def _answered(self, call: _Call, requests: Iterator[bytes], shown: bytes, own: pki.NodeIdentity) -> Iterator[bytes]:
        nonce, asked = _request(requests)
        call.asked = True
        yield encode_introduced(*self._identities.sign(nonce))
        with self._begun(call, asked) as work:
            checked = self._clock.monotonic()
            while not work.done(self._limits.pulse):
                yield encode_progress(work.newest())
                if self._clock.monotonic() - checked >= self._recheck:
                    self._identities.client_name(shown)
                    self._identities.vouch(own)
                    checked = self._clock.monotonic()
        if work.failure is not None:
            raise work.failure
        yield from encode_result(work.result)

    @contextmanager
    def _begun(self, call: _Call, asked: Forwarded) -> Iterator[AskedWork]:
        with AskedWork(f"hikae-asked-{call.peer}", lambda told: self._desk.answer(call.peer, asked, told)) as work:
            call.work = work
            # It may have ended before it could be told to.
            if call.left or not call.context.add_callback(work.leave):
                work.leave()
            yield work

    @contextmanager
    def _open(self, peer: str, context: grpc.ServicerContext) -> Iterator[_Call]:
        call = _Call(peer, context, self._clock.monotonic(), came_from=connections.peer_of(context.peer()))
        with self._lock:
            self._calls.add(call)
        try:
            self._seats.require(peer)  # it may have gone before it could be told to leave
            yield call
        finally:
            with self._lock:
                self._calls.discard(call)

    def _end(self, whether: Callable[[_Call], bool]) -> None:
        with self._lock:
            for call in [one for one in self._calls if whether(one)]:
                call.leave()

    def _each(self, peers: Collection[str]) -> dict[str, int]:
        return dict.fromkeys(peers, self._limits.calls)


def _request(requests: Iterator[bytes]) -> tuple[bytes, Forwarded]:
    for data in requests:
        return decode_ask(data)
    raise bad("no request")
