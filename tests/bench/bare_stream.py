"""What gRPC alone can carry: one call of 1 MiB messages, bytes in and out, mutual TLS, client and server each a process.

`python -m bench.bare_stream serve KEYS PORT` and `python -m bench.bare_stream send KEYS PORT MESSAGES`; the latter prints
seconds, from the first message until the answer to the last. The settings of the channel are those of the agents.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from agent import pki
from agent.rpc.client import KEEPALIVE, SIZES
from bench.crew import Failed, finish, running, until
from bench.sizes import MIB
from fakes.agents import REPOSITORY, free_port

_METHOD = "/bench.Bare/Send"
_OPTIONS = (*KEEPALIVE, *SIZES)
_SERVER, _CLIENT = "bare-server", "bare-client"


class BareStream:
    """A server that runs; made by :func:`bare_stream`."""

    def __init__(self, keys: Path, port: int) -> None:
        self._keys = keys
        self._port = port

    def seconds(self, count: int) -> float:
        """How long ``count`` bytes (of whole MiB) take. Raises :class:`Failed`."""
        return float(finish(_words("send", self._keys, self._port, str(count // MIB)), _environment()))


@contextmanager
def bare_stream(base: Path) -> Iterator[BareStream]:
    """Certificates and a server below ``base``, ended afterwards. Raises :class:`Failed`."""
    base.mkdir()
    keys, port = base / "keys", free_port()
    pki.init(str(keys))
    for name in (_SERVER, _CLIENT):
        pki.issue(name, str(keys), ["127.0.0.1"])
    with running(_words("serve", keys, port), base / "log", _environment()):
        stream = BareStream(keys, port)
        until(lambda: _answers(stream), "the bare stream's server")
        yield stream


def serve(keys: Path, port: int) -> None:
    """Count what comes until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    pair = [(_read(keys, f"{_SERVER}.key"), _read(keys, f"{_SERVER}.crt"))]
    credentials = grpc.ssl_server_credentials(pair, _read(keys, "ca.crt"), require_client_auth=True)
    server = grpc.server(ThreadPoolExecutor(2), options=(*_OPTIONS, ("grpc.so_reuseport", 0)))
    server.add_generic_rpc_handlers((_Counting(),))
    server.add_secure_port(f"127.0.0.1:{port}", credentials)
    server.start()
    stop.wait()
    server.stop(1).wait()


def send(keys: Path, port: int, messages: int) -> float:
    """Seconds for so many messages; the server must have counted as many bytes."""
    credentials = grpc.ssl_channel_credentials(
        _read(keys, "ca.crt"), _read(keys, f"{_CLIENT}.key"), _read(keys, f"{_CLIENT}.crt")
    )
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=_OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(10)
        call: Any = channel.stream_unary(_METHOD)  # Any: bytes both ways, without a serializer
        content = os.urandom(MIB)
        begun = time.monotonic()
        answer = call(content for _ in range(messages))
        seconds = time.monotonic() - begun
    if int(answer) != messages * MIB:
        raise Failed(f"{messages} MiB were sent, {int(answer):,} bytes arrived")
    return seconds


class _Counting(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_unary_rpc_method_handler(_count)
        return handler if handler_call_details.method == _METHOD else None


def _count(requests: Iterator[bytes], _context: grpc.ServicerContext) -> bytes:
    return b"%d" % sum(len(content) for content in requests)


def _answers(stream: BareStream) -> bool:
    try:
        stream.seconds(MIB)
    except Failed:
        return False
    return True


def _words(what: str, keys: Path, port: int, *more: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "bench.bare_stream", what, str(keys), str(port), *more)


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": f"{REPOSITORY / 'tests'}:{REPOSITORY}"}


def _read(keys: Path, name: str) -> bytes:
    return (keys / name).read_bytes()


def main() -> None:
    """One of the two programs."""
    what, keys, port = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if what == "serve":
        serve(keys, port)
    else:
        print(send(keys, port, int(sys.argv[4])))


if __name__ == "__main__":
    main()
