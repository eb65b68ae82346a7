"""``grpc.health.v1`` of a real agent, asked as any client of that protocol asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import grpc
import pytest

from agent import pki
from agent.rpc.health_door import CHECK, WATCH
from agent.rpc.wire.health_pb2 import HealthCheckRequest, HealthCheckResponse
from fakes.agents import Agent, Pair, pair
from fakes.eventually import eventually

_Watch: TypeAlias = "grpc.UnaryStreamMultiCallable[bytes, HealthCheckResponse]"
SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


@contextmanager
def _channel(both: Pair, agent: Agent, name: str = "balancer") -> Iterator[grpc.Channel]:
    """A client with a certificate of the same authority, who is no peer."""
    if not (both.keys / f"{name}.crt").exists():
        pki.issue(name, str(both.keys), ["127.0.0.1"])
    ca, cert, key = ((both.keys / file).read_bytes() for file in ("ca.crt", f"{name}.crt", f"{name}.key"))
    with grpc.secure_channel(f"127.0.0.1:{agent.port}", grpc.ssl_channel_credentials(ca, key, cert)) as channel:
        yield channel


def _checked(channel: grpc.Channel, service: str) -> int:
    call = channel.unary_unary(
        CHECK,
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    return int(call(HealthCheckRequest(service=service), timeout=20, wait_for_ready=True).status)


def _let_in(channel: grpc.Channel) -> bool:
    try:
        return _checked(channel, "web/primary") == SERVING
    except grpc.RpcError:
        return False


def test_check_says_who_serves_and_who_stands_by() -> None:
    """Per dataset and role; the agent itself is the empty name; a slip is NOT_FOUND."""
    with pair() as both:
        both.begin()
        with _channel(both, both.alpha) as alpha, _channel(both, both.beta) as beta:
            eventually(lambda: _checked(alpha, "web/primary") == SERVING and _checked(beta, "web/standby") == SERVING)
            others = [(alpha, "web/standby"), (beta, "web/primary"), (alpha, ""), (beta, "")]
            assert [NOT_SERVING, NOT_SERVING, SERVING, SERVING] == [_checked(*one) for one in others]
            for service in ("nix/primary", "web", "web/owner", "/primary"):
                with pytest.raises(grpc.RpcError) as raised:
                    _checked(alpha, service)
                assert grpc.StatusCode.NOT_FOUND == raised.value.code()


def test_watch_tells_each_change() -> None:
    """A standby that is held as inconsistent, or whose agent goes, is told while the call stands."""
    with pair() as both:
        both.beta.start()
        both.beta.up()
        with _channel(both, both.beta) as channel:
            call = channel.unary_stream(
                WATCH,
                request_serializer=HealthCheckRequest.SerializeToString,
                response_deserializer=HealthCheckResponse.FromString,
            )
            # The agent answers on its socket a moment before it listens to others.
            answers = call(HealthCheckRequest(service="web/standby"), timeout=60, wait_for_ready=True)
            unknown = call(HealthCheckRequest(service="nix/standby"), timeout=60, wait_for_ready=True)
            first = next(answers).status
            both.alpha.start()
            both.alpha.up()
            assert (NOT_SERVING, SERVING) == (first, next(one.status for one in answers if one.status == SERVING))
            assert HealthCheckResponse.SERVICE_UNKNOWN == next(unknown).status
            answers.cancel()
            unknown.cancel()


def test_calls_are_bounded_and_peers_are_served_beside_them() -> None:
    """Who opens calls without end is refused; replication goes on, and whoever else asks is answered."""
    with pair() as both:
        both.begin()
        with _channel(both, both.alpha) as channel:
            call: _Watch = channel.unary_stream(WATCH, response_deserializer=HealthCheckResponse.FromString)
            standing = [call(b"", timeout=60) for _ in range(16)]
            assert {SERVING} == {next(one).status for one in standing}
            with pytest.raises(grpc.RpcError) as raised:
                next(call(b"", timeout=60))
            assert grpc.StatusCode.RESOURCE_EXHAUSTED == raised.value.code()
            with _channel(both, both.alpha, "another") as another:
                assert _let_in(another)
            (both.source / "beside").write_bytes(b"x")
            both.settle()
            both.mirror()
            for one in standing:
                one.cancel()
            eventually(lambda: _let_in(channel))


def test_a_message_that_is_none_is_refused() -> None:
    """Bytes of another protocol, and names without end."""
    with pair() as both:
        both.alpha.start()
        both.alpha.up()
        with _channel(both, both.alpha) as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(CHECK)
            for data in (b"\xff" * 50, HealthCheckRequest(service="x" * 1000).SerializeToString()):
                with pytest.raises(grpc.RpcError) as raised:
                    call(data, timeout=20, wait_for_ready=True)
                assert grpc.StatusCode.INVALID_ARGUMENT == raised.value.code()
