"""Nodes that ask each other over gRPC on loopback, and one that asks as it likes."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from agent.config.values import Peer
from agent.core.clock import Clock
from agent.core.errors import HikaeError, NotFound
from agent.core.forwarded import Forwarded, Told
from agent.generations.afar import NamedMoment, OpenMoment, PeersMoments
from agent.pki import NodeIdentity
from agent.rpc.peers.peer_caller import PeerCaller
from agent.rpc.peers.peer_codec import Answered, decode_answer
from agent.rpc.peers.peer_door import ASK, PeerDoor
from agent.rpc.peers.peer_limits import PeerLimits
from agent.rpc.server import GrpcServer
from agent.rpc.tls import Identities, channel_credentials, server_credentials
from agent.stream.receiving.one_call import Seats
from fakes.rpc_fakes import CLOCK
from fakes.stream_fakes import Secondary


class AnsweringDesk:
    """Satisfies ``ForwardedDesk``: answers as told. ``holds``: a call goes on, with progress, until ``go``."""

    def __init__(self, answer: object = None) -> None:
        self.result = answer
        self.failure: HikaeError | None = None
        self.holds = False
        self.go, self.begun, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.asked: list[tuple[str, Forwarded]] = []

    def answer(self, peer: str, asked: Forwarded, told: Told) -> object:
        """See ``ForwardedDesk``."""
        self.asked.append((peer, asked))
        self.begun.set()
        try:
            told({"phase": "held", "done_entries": 1})
            while self.holds and not self.go.wait(0.02):
                told({"phase": "held", "done_entries": 2})
            if self.failure is not None:
                raise self.failure
            return self.result
        finally:
            self.ended.set()


class NoMoments:
    """Satisfies ``PeersMoments`` of a node that has none."""

    def open_for(self, peer: str, named: NamedMoment) -> OpenMoment:
        """See ``PeersMoments``."""
        raise NotFound("read a moment", named.dataset, f"there is none for {peer}")


class Answering:
    """``beta``, which is asked by ``peers``. A context manager."""

    def __init__(
        self,
        identities: Identities,
        desk: AnsweringDesk,
        directory: Path,
        limits: PeerLimits,
        peers: Collection[str] = ("alpha",),
        clock: Clock = CLOCK,
        moments: PeersMoments | None = None,
    ) -> None:
        self.door = PeerDoor(desk, moments or NoMoments(), identities, clock, peers, limits=limits, recheck=0.05)
        self._secondary = Secondary(directory)
        allowed = dict.fromkeys(peers, 1)
        self.server = GrpcServer(
            "127.0.0.1:0", identities, self._secondary, Seats(), CLOCK, allowed, beside=(self.door,)
        )

    def __enter__(self) -> Answering:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self._secondary.close()

    @property
    def peer(self) -> Peer:
        """Where it is."""
        return Peer("beta", f"127.0.0.1:{self.server.port}")

    def ask(self, identities: Identities, asked: Forwarded, told: Told = lambda _: None) -> object:
        """As an agent asks."""
        return PeerCaller(identities).ask(self.peer, asked, told)

    def spoken(self, identity: NodeIdentity, requests: Iterator[bytes]) -> list[Answered]:
        """What is answered to these bytes, until the end, however it comes."""
        return [decode_answer(data) for data in self.raw(identity, requests, ASK)]

    def raw(self, identity: NodeIdentity, requests: Iterator[bytes], method: str) -> list[bytes]:
        """The bytes of :meth:`spoken`, of any method."""
        options = (("grpc.ssl_target_name_override", "beta"), ("grpc.max_send_message_length", -1))
        said = list[bytes]()
        with grpc.secure_channel(self.peer.address, channel_credentials(identity), options) as channel:
            call: Any = channel.stream_stream(method)
            try:
                said.extend(call(requests))
            except grpc.RpcError:
                return said
        return said


class Mute:
    """``beta``, which takes calls and says nothing for so many seconds, then ends them. A context manager."""

    def __init__(self, identities: Identities, seconds: float) -> None:
        self._ends = threading.Event()
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(2)
        self._server = grpc.server(self._pool)
        handlers: dict[str, Any] = {"Ask": grpc.stream_stream_rpc_method_handler(self._serve)}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("hikae.v1.PeerService", handlers),))
        self._port = self._server.add_secure_port("127.0.0.1:0", server_credentials(identities))

    def __enter__(self) -> Mute:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._server.stop(0).wait()
        self._pool.shutdown()

    @property
    def peer(self) -> Peer:
        """Where it is."""
        return Peer("beta", f"127.0.0.1:{self._port}")

    def _serve(self, _requests: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
        self._ends.wait(self._seconds)
        yield from ()
