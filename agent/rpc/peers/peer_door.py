"""The way in for what another node asks and reads: who it is, whether there is a seat, and an end that always comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

import grpc

from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.core.forwarded import Forwarded, ForwardedDesk
from agent.generations.afar import PeersMoments
from agent.rpc import connections
from agent.rpc.door_beside import ServesCall
from agent.rpc.peers.asked_work import AskedWork
from agent.rpc.peers.moment_codec import Opening, decode_request, encode_found, encode_moment_failure
from agent.rpc.peers.moment_serving import answers_of
from agent.rpc.peers.peer_codec import decode_ask, encode_failure, encode_introduced, encode_progress, encode_result
from agent.rpc.peers.peer_limits import PeerLimits
from agent.rpc.tls import RECHECK_SECONDS, Identities, presented
from agent.stream.messages import bad
from agent.stream.receiving.one_call import PeerSeats

ASK, READ = "/hikae.v1.PeerService/Ask", "/hikae.v1.PeerService/Read"
_AS_USUAL = PeerLimits()


@dataclass(eq=False, slots=True)
class _Call:
    """One that is served. ``check``: raises once either side is not any more who it was; ``asked``: its request has come;
    ``reads``: it reads a moment; ``work``: what it asked for, once it is begun."""

    peer: str
    context: grpc.ServicerContext
    check: Callable[[], None]
    began: float
    came_from: tuple[str, int]
    asked: bool = False
    reads: bool = False
    left: bool = False
    work: AskedWork | None = None

    def leave(self) -> None:
        """End soon. Does not wait."""
        self.left = True
        if self.work is not None:
            self.work.leave()
        elif self.reads or not self.asked:
            self.context.cancel()

    def is_good(self) -> bool:
        """Whether both sides are still who they were."""
        try:
            self.check()
        except HikaeError:
            return False
        return True


class PeerDoor:
    """Serves ``PeerService``: ``desk`` decides and does what is asked, ``moments`` are read. ``peers``: who may, until
    :meth:`allow` says otherwise."""

    def __init__(
        self,
        desk: ForwardedDesk,
        moments: PeersMoments,
        identities: Identities,
        clock: Clock,
        peers: Collection[str],
        *,
        limits: PeerLimits = _AS_USUAL,
        recheck: float = RECHECK_SECONDS,
    ) -> None:
        self._desk = desk
        self._moments = moments
        self._identities = identities
        self._clock = clock
        self._limits = limits
        self._recheck = recheck
        self._checked = clock.monotonic()
        self._seats = PeerSeats(self._each(peers))
        self._lock = threading.Lock()
        self._calls: set[_Call] = set()

    @property
    def methods(self) -> Mapping[str, ServesCall]:
        """Its calls, by gRPC's name of the method."""
        return {ASK: self.ask, READ: self.read}

    @property
    def threads(self) -> int:
        """How many calls there may be at once."""
        return self._seats.total

    def allow(self, peers: Collection[str]) -> None:
        """From now on these peers may call; calls of others end. Any thread."""
        self._seats.allow(self._each(peers))
        self._end(lambda call: call.peer not in peers)

    def tick(self) -> None:
        """Once a second: whoever asks for nothing is cut off, and now and then whoever's certificate is good no more."""
        now = self._clock.monotonic()
        self._end(lambda call: not call.asked and now - call.began > self._limits.asks_within)
        if now - self._checked >= self._recheck:
            self._checked = now
            self._end(lambda call: not call.is_good())

    def leave(self) -> None:
        """The node stops: all calls end soon."""
        self._end(lambda _call: True)

    def calling(self) -> set[tuple[str, int]]:
        """Address and port of those that are served."""
        with self._lock:
            return {call.came_from for call in self._calls}

    def ask(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """A call of ``Ask``, as gRPC hands it over."""
        return self._served(requests, context, self._asked, encode_failure)

    def read(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """A call of ``Read``, as gRPC hands it over."""
        return self._served(requests, context, self._opened, encode_moment_failure)

    def _served(
        self,
        requests: Iterator[bytes],
        context: grpc.ServicerContext,
        serve: Callable[[_Call, Iterator[bytes]], Iterator[bytes]],
        failed: Callable[[HikaeError], bytes],
    ) -> Iterator[bytes]:
        try:
            peer, check = self._introduced(context)
            with self._seats.taken(peer), self._open(peer, context, check) as call:
                yield from serve(call, requests)
        except HikaeError as error:
            yield failed(error)
        except grpc.RpcError:
            return  # the caller has gone, or was cut off

    def _introduced(self, context: grpc.ServicerContext) -> tuple[str, Callable[[], None]]:
        """Who calls, and what raises once that is not so any more."""
        shown = presented(context)
        peer, own = self._identities.client_name(shown), self._identities.current()

        def check() -> None:
            self._identities.client_name(shown)
            self._identities.vouch(own)

        return peer, check

    def _asked(self, call: _Call, requests: Iterator[bytes]) -> Iterator[bytes]:
        nonce, asked = decode_ask(_first(requests))
        call.asked = True
        yield encode_introduced(*self._identities.sign(nonce))
        with self._begun(call, asked) as work:
            while not work.done(self._limits.pulse):
                yield encode_progress(work.newest())
        if (last := work.newest()) is not None:
            yield encode_progress(last)
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

    def _opened(self, call: _Call, requests: Iterator[bytes]) -> Iterator[bytes]:
        opening = decode_request(_first(requests))
        if not isinstance(opening, Opening):
            raise bad("something else than an opening first")
        call.asked = call.reads = True
        with closing(self._moments.open_for(call.peer, opening.named)) as moment:
            yield encode_found(*self._identities.sign(opening.nonce), moment.found)
            for data in requests:
                yield from answers_of(moment, decode_request(data))

    @contextmanager
    def _open(self, peer: str, context: grpc.ServicerContext, check: Callable[[], None]) -> Iterator[_Call]:
        call = _Call(peer, context, check, self._clock.monotonic(), connections.peer_of(context.peer()))
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
            calls = list(self._calls)
        for call in calls:
            if whether(call):
                call.leave()

    def _each(self, peers: Collection[str]) -> dict[str, int]:
        return dict.fromkeys(peers, self._limits.calls)


def _first(requests: Iterator[bytes]) -> bytes:
    for data in requests:
        return data
    raise bad("no request")
