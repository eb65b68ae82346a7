"""Real gRPC on loopback with real certificates: who is let in, who is not, and what the other is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from agent.core.clock import ManualClock
from agent.core.errors import HikaeError, NotPermitted, Refused, Unreachable
from agent.rpc.client import METHOD, GrpcTransport
from agent.rpc.connections import IDLE_PER_ADDRESS, accepted
from agent.rpc.server import GrpcServer
from agent.rpc.tls import Identities, channel_credentials
from agent.stream.position import Level
from agent.stream.sending.talk.refusals import RefusedByPeer
from fakes.eventually import eventually
from fakes.rpc_fakes import CLOCK, DAY_NS, Authority, Served
from fakes.stream_fakes import Call, Primary, Secondary


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Primary]:
    one = Primary(tmp_path / "alpha")
    one.write((b"file", b"content"))
    yield one
    one.close()


@pytest.fixture
def secondary(tmp_path: Path) -> Iterator[Secondary]:
    one = Secondary(tmp_path / "beta")
    yield one
    one.close()


@pytest.fixture
def served(authority: Authority, secondary: Secondary) -> Iterator[Served]:
    one = Served(secondary, authority.identities("beta"))
    yield one
    one.close()


def failure_of(primary: Primary, transport: GrpcTransport, peer: str = "beta") -> HikaeError:
    """Why a call cannot be had."""
    call = Call(primary, transport, peer)
    call.join()
    transport.close()
    assert isinstance(call.failure, HikaeError)
    return call.failure


def replicate(primary: Primary, transport: GrpcTransport) -> None:
    """Bring the peer up to date in one call."""
    call = Call(primary, transport)
    newest = primary.catalog.newest()
    assert newest is not None
    assert call.board.wait(Level.DURABLE, newest.number, 40), call.failure
    call.stop()
    assert call.failure is None


def test_everything_arrives(primary: Primary, secondary: Secondary, served: Served, authority: Authority) -> None:
    """What is there and what comes live is equal on the other side."""
    transport = served.transport(authority.identities("alpha"))
    replicate(primary, transport)
    primary.write((b"second", b"x" * 100_000))
    replicate(primary, transport)
    transport.close()
    newest = primary.catalog.newest()
    assert newest is not None
    assert newest.digest == secondary.digest()


def test_client_of_another_authority(primary: Primary, served: Served, tmp_path: Path) -> None:
    """Neither side believes a certificate that another CA made."""
    stranger = Authority(tmp_path / "other").identities("alpha")
    failure = failure_of(primary, served.transport(stranger))
    assert (True, True) == (isinstance(failure, NotPermitted), "another CA" in failure.reason)


def test_server_with_another_name(primary: Primary, served: Served, authority: Authority) -> None:
    """An address that answers with a right certificate for another node is refused."""
    failure = failure_of(primary, served.transport(authority.identities("alpha"), "gamma"), "gamma")
    assert (True, True) == (isinstance(failure, NotPermitted), "another name" in failure.reason)


def test_client_that_says_another_name(primary: Primary, served: Served, authority: Authority) -> None:
    """A node may only speak for the name in its certificate."""
    failure = failure_of(primary, served.transport(authority.identities("gamma")))
    assert "identity" == getattr(failure, "code", None)


def test_expired_server(primary: Primary, secondary: Secondary, authority: Authority) -> None:
    """A server whose certificate has expired is refused, and the reason said."""
    served = Served(secondary, authority.expired("beta"))
    try:
        failure = failure_of(primary, served.transport(authority.identities("alpha")))
    finally:
        served.close()
    assert (True, True) == (isinstance(failure, NotPermitted), "expired" in failure.reason)


def test_expired_client(primary: Primary, served: Served, authority: Authority) -> None:
    """A client whose certificate has expired is turned away by the server, and learns why."""
    failure = failure_of(primary, served.transport(authority.expired("alpha")))
    assert (True, True) == (isinstance(failure, NotPermitted), "expired" in failure.reason)


def test_own_expired_certificate_is_not_shown(primary: Primary, served: Served, authority: Authority) -> None:
    """A node does not even dial with a certificate that it can see to have expired."""
    authority.issue("alpha", 30, CLOCK.now_ns() - 40 * DAY_NS)
    failure = failure_of(primary, served.transport(authority.identities("alpha")))
    assert "certificate-expired" == getattr(failure, "code", None)


def test_revoked_client(primary: Primary, served: Served, authority: Authority, tmp_path: Path) -> None:
    """A serial on the list is refused at the next call, without a restart."""
    authority.issue("alpha")
    client_crl = tmp_path / "old.crl"
    client_crl.write_bytes(Path(authority.files("alpha").crl).read_bytes())
    transport = served.transport(Identities(replace(authority.files("alpha"), crl=str(client_crl)), "alpha", CLOCK))
    replicate(primary, transport)
    authority.revoke("alpha")
    failure = failure_of(primary, transport)
    assert (True, "identity") == (isinstance(failure, RefusedByPeer), getattr(failure, "code", None))


def test_revoked_server(primary: Primary, served: Served, authority: Authority) -> None:
    """A client that has the newer list does not talk to a revoked server."""
    authority.identities("alpha")
    authority.revoke("beta")
    failure = failure_of(primary, served.transport(authority.identities("alpha")))
    assert isinstance(failure, NotPermitted | RefusedByPeer)


def _with_list(authority: Authority, name: str, path: Path) -> Identities:
    """A node with a list of revoked certificates of its own, as it is now."""
    if not Path(authority.files(name).cert).exists():
        authority.issue(name)
    path.write_bytes(Path(authority.files("ca").crl).read_bytes())
    return Identities(replace(authority.files(name), crl=str(path)), name, CLOCK)


def _end_of(call: Call, primary: Primary) -> HikaeError:
    """What ends a call that stands, while there is something to say."""
    for number in range(1000):
        if call.sender.talk.over:
            break
        primary.write((b"file", b"%d" % number))
        call.sender.talk.watch(0.02)
    call.join()
    assert isinstance(call.failure, HikaeError)
    return call.failure


@pytest.mark.parametrize("revoked", ["alpha", "beta"])
@pytest.mark.parametrize("knows", ["alpha", "beta"])
def test_a_call_that_stands_ends_when_a_certificate_is_revoked(
    primary: Primary, secondary: Secondary, authority: Authority, tmp_path: Path, revoked: str, knows: str
) -> None:
    """Whichever of the two it is, and whichever side has the list."""
    lists = {name: tmp_path / f"{name}.crl" for name in ("alpha", "beta")}
    alpha, beta = (_with_list(authority, name, path) for name, path in lists.items())
    served = Served(secondary, beta)
    transport = served.transport(alpha)
    call = Call(primary, transport)
    call.until_streaming()
    authority.revoke(revoked)
    lists[knows].write_bytes(Path(authority.files("ca").crl).read_bytes())
    failure = _end_of(call, primary)
    transport.close()
    served.close()
    assert "revoked" in failure.reason


@pytest.mark.parametrize("renewed", ["alpha", "beta"])
def test_a_call_that_stands_ends_when_a_certificate_is_replaced(
    primary: Primary, served: Served, authority: Authority, renewed: str
) -> None:
    """The next one begins with the new one."""
    transport = served.transport(authority.identities("alpha"))
    call = Call(primary, transport)
    call.until_streaming()
    authority.renew(renewed)
    failure = _end_of(call, primary)
    assert "its certificate was replaced" in failure.reason
    replicate(primary, transport)
    transport.close()


def test_a_call_that_stands_ends_when_a_certificate_runs_out(
    primary: Primary, secondary: Secondary, authority: Authority
) -> None:
    """By the clock of whoever sees it."""
    clock = ManualClock(CLOCK.now_ns())
    authority.issue("beta")
    served = Served(secondary, Identities(authority.files("beta"), "beta", clock))
    transport = served.transport(authority.identities("alpha"))
    call = Call(primary, transport)
    call.until_streaming()
    clock.advance(40 * 86_400)
    failure = _end_of(call, primary)
    transport.close()
    served.close()
    assert "expired" in failure.reason


def _silent_call(served: Served, identities: Identities) -> Callable[[], None]:
    """A call that says nothing; what ends it."""
    options = (("grpc.ssl_target_name_override", "beta"), ("grpc.use_local_subchannel_pool", 1))
    channel = grpc.secure_channel(served.address, channel_credentials(identities.current()), options)
    over = threading.Event()
    replicate: Any = channel.stream_stream(METHOD)
    call = replicate(iter(lambda: over.wait() or b"", b""))
    call.initial_metadata  # noqa: B018 - only that it is begun

    def end() -> None:
        over.set()
        call.cancel()
        channel.close()

    return end


@pytest.mark.parametrize("who", ["mallory", "gamma"])
def test_silent_calls_take_no_seat_of_the_primary(
    primary: Primary, served: Served, authority: Authority, who: str
) -> None:
    """Of one that no configuration names, and of another peer: each has its own."""
    ends = [_silent_call(served, authority.identities(who)) for _ in range(20)]
    transport = served.transport(authority.identities("alpha"))
    replicate(primary, transport)
    transport.close()
    for end in ends:
        end()


def test_calls_of_a_peer_that_is_none_any_more_end(primary: Primary, served: Served, authority: Authority) -> None:
    """At once, and none begins; once it is a peer again all goes on. What others may do changes nothing for a call."""
    transport = served.transport(authority.identities("alpha"))
    call = Call(primary, transport)
    call.until_streaming()
    served.server.allow({"alpha": 2, "gamma": 1, "delta": 7})
    newest = primary.write((b"more", b"x"))
    assert call.board.wait(Level.DURABLE, newest.number, 40), call.failure
    served.server.allow({"gamma": 1})
    call.join()
    assert "no peer of this node" in failure_of(primary, served.transport(authority.identities("alpha"))).reason
    served.server.allow({"alpha": 1})
    replicate(primary, transport)
    transport.close()


def test_raw_connections_of_one_address_are_few(primary: Primary, served: Served, authority: Authority) -> None:
    """Those that say nothing are shut; a call that stands does not notice."""
    transport = served.transport(authority.identities("alpha"))
    call = Call(primary, transport)
    call.until_streaming()
    port = served.server.port
    with ExitStack() as stack:
        for _ in range(5 * IDLE_PER_ADDRESS):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        eventually(lambda: len(accepted(port)) > 4 * IDLE_PER_ADDRESS)

        def are_few() -> bool:
            """After a tick of each second; some are still being accepted at the first."""
            served.server.tick()
            return len(accepted(port)) <= IDLE_PER_ADDRESS + 1

        eventually(are_few)
        newest = primary.write((b"more", b"x"))
        assert call.board.wait(Level.DURABLE, newest.number, 40), call.failure
    call.stop()
    transport.close()


def test_plaintext_client(served: Served) -> None:
    """A client without TLS gets nothing."""
    with grpc.insecure_channel(served.address) as channel:
        replicate: Any = channel.stream_stream(METHOD)
        call = replicate(iter([b""]))
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
    assert grpc.StatusCode.UNAVAILABLE == caught.value.code()


def test_plaintext_server(primary: Primary, authority: Authority) -> None:
    """A port that speaks no TLS is named as that."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()
        thread = threading.Thread(target=_answer_http, args=(listener, stop))
        thread.start()
        transport = GrpcTransport("beta", f"127.0.0.1:{listener.getsockname()[1]}", authority.identities("alpha"))
        failure = failure_of(primary, transport)
        stop.set()
        thread.join()
    assert "TLS" in failure.reason


def _answer_http(listener: socket.socket, stop: threading.Event) -> None:
    listener.settimeout(0.05)
    while not stop.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_nothing_listens(primary: Primary, authority: Authority) -> None:
    """A closed port is named as that."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    failure = failure_of(primary, GrpcTransport("beta", f"127.0.0.1:{port}", authority.identities("alpha")))
    assert (True, True) == (isinstance(failure, Unreachable), "nothing listens" in failure.reason)


def test_renewal_without_downtime(primary: Primary, served: Served, authority: Authority) -> None:
    """Both sides take renewed certificates while they run."""
    identities = authority.identities("alpha")
    transport = served.transport(identities)
    replicate(primary, transport)
    before = identities.current().serial
    authority.renew("alpha")
    authority.renew("beta")
    primary.write((b"later", b"1"))
    replicate(primary, transport)
    transport.close()
    assert before != identities.current().serial


def test_two_servers_on_one_port(served: Served, authority: Authority, secondary: Secondary) -> None:
    """The second is told that the port is taken."""
    second = GrpcServer(served.address, authority.identities("beta"), secondary, secondary.seats, CLOCK, {})
    with pytest.raises(Refused, match="taken"):
        second.start()
