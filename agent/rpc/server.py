"""The way in: a gRPC server with mutual TLS that gives every call to an intake."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing

import grpc

from agent import pki
from agent.core.clock import Clock
from agent.core.errors import HikaeError, Refused
from agent.rpc import connections
from agent.rpc.client import KEEPALIVE, METHOD, SIZES
from agent.rpc.codec import decode_batch, encode_answers
from agent.rpc.door_beside import DoorBeside, ServesCall
from agent.rpc.short_messages import Unpacking
from agent.rpc.tls import RECHECK_SECONDS, Identities, presented, server_credentials
from agent.rpc.workers import Workers
from agent.stream.messages import Answers, Batch, Hello, Welcome
from agent.stream.receiving.intake import Directory, Intake, refusal_of
from agent.stream.receiving.one_call import PeerSeats, Seats

#: Calls of a peer beyond one for each dataset: one that hangs and is being replaced, one that will be refused.
SPARE_CALLS = 4
#: Threads for those that are told at once that they have no seat.
_REFUSING = 4
#: Calls that may wait a moment for one of those, so that a burst of them does not turn away the primary's.
_WAITING = 512
#: Calls that gRPC lets in beside those, at the least: it takes no other bound once it serves, and more may be configured later.
_CALLS = 1024
#: A connection without a call is closed then; a peer that calls again opens another, unasked.
_IDLE_MS = 60_000
_OPTIONS = (
    *KEEPALIVE,
    *SIZES,
    # Else two agents share a port without knowing.
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", _IDLE_MS),
)


class GrpcServer:
    """Serves replication at one address, and beside it what the doors of ``beside`` do. ``allowed``: how many calls each
    configured peer may have open, until :meth:`allow` says otherwise; nobody else has any."""

    def __init__(
        self,
        listen: str,
        identities: Identities,
        directory: Directory,
        seats: Seats,
        clock: Clock,
        allowed: Mapping[str, int],
        recheck: float = RECHECK_SECONDS,
        beside: Sequence[DoorBeside] = (),
    ) -> None:
        self.port = 0
        self._listen = listen
        self._identities = identities
        self._directory = directory
        self._seats = seats
        self._clock = clock
        self._peers = PeerSeats(allowed)
        self._recheck = recheck
        self._beside = beside
        self._lock = threading.Lock()
        #: Of each call: whose it is, and from where it came.
        self._serving: dict[Intake, tuple[str, tuple[str, int]]] = {}
        self._server: grpc.Server | None = None
        self._stopped = False
        self._pool: Workers | None = None

    def start(self) -> None:
        """Listens, where this node's own identity is good; else ``tick`` does as soon as it is. Raises ``Refused`` when the port
        is taken."""
        try:
            credentials = server_credentials(self._identities)
        except HikaeError:
            return  # told with the certificate
        self._listen_with(credentials)

    def _listen_with(self, credentials: grpc.ServerCredentials) -> None:
        workers = self._threads()
        pool = Workers(workers, "hikae-serve")
        options = (*_OPTIONS, ("grpc.max_allowed_incoming_connections", connections.most()))
        most = max(workers, _CALLS) + _WAITING
        # gRPC does nothing with its pool but submit; the type that it declares is narrower.
        server = grpc.server(pool, options=options, maximum_concurrent_rpcs=most)  # type: ignore[arg-type]
        served: dict[str, ServesCall] = {METHOD: self._replicate}
        for door in self._beside:
            served |= door.methods
        server.add_generic_rpc_handlers((_Handler(served),))
        try:
            self.port = server.add_secure_port(self._listen, credentials)
        except RuntimeError:
            self.port = 0
        if not self.port:
            pool.shutdown()
            reason = f"the address {self._listen} is taken or is not of this machine"
            raise Refused("listen for peers", self._listen, reason, "stop what listens there, or change [node] listen")
        server.start()
        self._server, self._pool = server, pool

    def allow(self, allowed: Mapping[str, int]) -> None:
        """From now on each of these peers may have so many calls open. Calls of peers that are none any more end; those of the
        others go on. Any thread."""
        self._peers.allow(allowed)
        for door in self._beside:
            door.allow(allowed)
        pool = self._pool
        if pool is not None:
            pool.allow(self._threads())
        with self._lock:
            for intake, (peer, _) in self._serving.items():
                if peer not in allowed:
                    intake.leave()

    def _threads(self) -> int:
        return self._peers.total + sum(door.threads for door in self._beside) + _REFUSING

    def tick(self) -> None:
        """Once a second: listens where it could not yet, and shuts connections that are too many for one address. Raises
        ``Refused`` as ``start`` does."""
        for door in self._beside:
            door.tick()
        if self._server is None and not self._stopped:
            self.start()
        if not self.port or not connections.crowded():
            return
        with self._lock:
            calling = {came_from for _, came_from in self._serving.values()}
        for door in self._beside:
            calling |= door.calling()
        for one in connections.surplus(connections.accepted(self.port), calling):
            connections.shut(one, self.port)

    def stop(self, grace: float = 2.0) -> None:
        """End every call, sealed commits kept; returns when all threads are gone. Safe to call twice."""
        self._stopped = True
        with self._lock:
            for intake in self._serving:
                intake.leave()
        for door in self._beside:
            door.leave()
        if self._server is not None and self._pool is not None:
            self._server.stop(grace).wait()
            self._pool.shutdown()
            self._server = self._pool = None

    def _replicate(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            shown = presented(context)
            peer, own = self._identities.client_name(shown), self._identities.current()
        except HikaeError as error:
            yield encode_answers((refusal_of(error),))
            return
        try:
            with self._peers.taken(peer):
                yield from self._served(peer, requests, context, lambda: self._check(shown, own))
        except HikaeError as error:
            yield encode_answers((refusal_of(error),))

    def _served(
        self, peer: str, requests: Iterator[bytes], context: grpc.ServicerContext, check: Callable[[], None]
    ) -> Iterator[bytes]:
        intake = Intake(peer, self._directory, self._seats, self._clock, cancel=lambda: _cancel(context))
        with self._lock:
            self._serving[intake] = peer, connections.peer_of(context.peer())
        try:
            self._peers.require(peer)  # it may have gone before it could be told to leave
            if not context.add_callback(intake.leave):
                return
            yield from self._answered(intake, requests, check)
        finally:
            with self._lock:
                self._serving.pop(intake, None)

    def _answered(self, intake: Intake, requests: Iterator[bytes], check: Callable[[], None]) -> Iterator[bytes]:
        """What the intake answers, at least each few seconds; a certificate that is good no more, on either side, ends it."""
        nonce: list[bytes] = []
        checked = self._clock.monotonic()
        with closing(intake.answers(_decoded(requests, nonce))) as said:
            for answers in said:
                yield encode_answers(self._proven(answers, nonce))
                if self._clock.monotonic() - checked < self._recheck:
                    continue
                try:
                    check()
                except HikaeError as error:
                    yield encode_answers((refusal_of(error),))
                    return
                checked = self._clock.monotonic()

    def _check(self, shown: bytes, own: pki.NodeIdentity) -> None:
        self._identities.client_name(shown)
        self._identities.vouch(own)

    def _proven(self, answers: Answers, nonce: list[bytes]) -> Answers:
        first = answers[0]
        if not isinstance(first, Welcome):
            return answers
        certificate, proof = self._identities.sign(nonce[0])
        return (dataclasses.replace(first, certificate=certificate, proof=proof), *answers[1:])


class _Handler(grpc.GenericRpcHandler):
    """Bytes in, bytes out: decoding is ours, so that what is wrong with a message can be said to its sender."""

    def __init__(self, served: Mapping[str, ServesCall]) -> None:
        self._methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            method: grpc.stream_stream_rpc_method_handler(serve) for method, serve in served.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        return self._methods.get(handler_call_details.method)


def _cancel(context: grpc.ServicerContext) -> None:
    context.cancel()


def _decoded(requests: Iterator[bytes], nonce: list[bytes]) -> Iterator[Batch]:
    """The batches of a call; its cancellation ends them. Raises ``WireError``."""
    packing = Unpacking()
    try:
        for data in requests:
            batch = decode_batch(packing.unpack(data))
            if not nonce and batch and isinstance(batch[0], Hello):
                nonce.append(batch[0].nonce)
            yield batch
    except grpc.RpcError:
        return
