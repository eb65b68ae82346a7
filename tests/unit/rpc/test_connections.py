"""Which raw connections are too many."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from agent.rpc.connections import Connection, accepted, peer_of, shut, surplus


def _from(address: str, count: int, first: int = 0) -> list[Connection]:
    return [Connection(first + number, address, 1000 + number) for number in range(count)]


def test_each_address_keeps_its_own() -> None:
    """Of one that has many, those without a call go, the oldest first; another's stay."""
    many, few = _from("192.0.2.1", 6), _from("192.0.2.2", 2, 10)
    calling = {("192.0.2.1", 1000)}
    assert many[1:4] == surplus([*many, *few], calling, 2)
    assert [] == surplus([*many, *few], calling, 5)


@pytest.mark.parametrize(
    ("told", "peer"),
    [
        ("ipv4:192.0.2.1:7440", ("192.0.2.1", 7440)),
        ("ipv6:%5B2001:db8::1%5D:9", ("2001:db8::1", 9)),
        ("ipv6:[::1]:9", ("::1", 9)),
        ("unix:", ("", 0)),
    ],
)
def test_what_grpc_calls_a_peer(told: str, peer: tuple[str, int]) -> None:
    """Address and port, as a socket says them."""
    assert peer == peer_of(told)


def test_accepted_connections_are_found_and_shut() -> None:
    """Those that came in at the port, and not the listener, nor the other ends, which are ours here too."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = listener.getsockname()[1]
        ends = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(3)]
        taken = [stack.enter_context(listener.accept()[0]) for _ in ends]
        found = accepted(port)
        assert sorted(one.fileno() for one in taken) == [one.fd for one in found]
        assert {end.getsockname()[1] for end in ends} == {one.port for one in found}
        shut(found[0], port)
        shut(Connection(listener.fileno(), "127.0.0.1", 1), port)
        gone = next(end for end in ends if end.getsockname()[1] == found[0].port)
        gone.settimeout(10)
        assert b"" == gone.recv(1)
        assert 3 == len({one.fileno() for one in taken})
