"""A secondary that says what it is told to, over real mutual TLS: what a primary hears from a peer that was taken over."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import grpc

from agent import pki
from agent.core.ids import NO_EPOCH, NOTHING
from agent.rpc.client import METHOD, SIZES
from agent.rpc.codec import decode_batch, encode_answers
from agent.stream.messages import CREDIT, VERSION, Answers, Hello, Welcome
from fakes.agents import Fleet

#: What is answered to a call.
Word = Callable[[Hello], Answers]


class HostileSecondary:
    """Serves at the address of the node ``name``, with its certificate; :meth:`say` is what the next calls hear."""

    def __init__(self, fleet: Fleet, name: str = "beta") -> None:
        self.name = name
        self.key, self.certificate = self.identity(fleet, name)
        self.calls: queue.SimpleQueue[Hello] = queue.SimpleQueue()
        self._word: Word | None = None
        self._pool = ThreadPoolExecutor(4, "hostile")
        self._server = grpc.server(self._pool, options=(*SIZES, ("grpc.so_reuseport", 0)))
        self._server.add_generic_rpc_handlers((_Handler(self),))
        credentials = grpc.ssl_server_credentials(
            [(self.key, self.certificate)], (fleet.keys / "ca.crt").read_bytes(), True
        )
        self._server.add_secure_port(f"127.0.0.1:{fleet[name].port}", credentials)
        self._server.start()

    def close(self) -> None:
        """Nobody answers any more."""
        self._server.stop(0).wait()
        self._pool.shutdown()

    @staticmethod
    def identity(fleet: Fleet, name: str) -> tuple[bytes, bytes]:
        """Key and certificate of a node."""
        return (fleet.keys / f"{name}.key").read_bytes(), (fleet.keys / f"{name}.crt").read_bytes()

    def say(self, word: Word) -> None:
        """From the next call on."""
        self._word = word

    def heard(self, within: float = 30.0) -> Hello:
        """The beginning of the next call that is over."""
        return self.calls.get(timeout=within)

    def welcome(self, hello: Hello) -> Welcome:
        """One of a peer that has nothing, proven as it must be."""
        bare = Welcome(self.name, NO_EPOCH, NOTHING, b"", NOTHING, CREDIT, VERSION)
        return replace(bare, certificate=self.certificate, proof=pki.sign_proof(self.key, hello.nonce))

    def answers(self, requests: Iterator[bytes]) -> Iterator[bytes]:
        """One call."""
        hello = decode_batch(next(requests))[0]
        assert isinstance(hello, Hello)
        try:
            if self._word is not None:
                yield encode_answers(self._word(hello))
        finally:
            # A caller that has heard enough closes us here.
            self.calls.put(hello)


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, secondary: HostileSecondary) -> None:
        self._method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(
            lambda requests, _: secondary.answers(requests)
        )

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        return self._method if handler_call_details.method == METHOD else None


@contextmanager
def hostile(fleet: Fleet, name: str = "beta") -> Iterator[HostileSecondary]:
    """A secondary that lies until the block ends."""
    one = HostileSecondary(fleet, name)
    try:
        yield one
    finally:
        one.close()
