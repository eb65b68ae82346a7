"""Certificates of an authority made for the test, and nodes that speak over gRPC on loopback."""

from __future__ import annotations

from pathlib import Path

from agent import pki
from agent.core.clock import ManualClock, SystemClock
from agent.rpc.client import GrpcTransport
from agent.rpc.server import GrpcServer
from agent.rpc.tls import Identities, TlsFiles
from fakes.stream_fakes import Secondary

CLOCK = SystemClock()
DAY_NS = 86_400 * 10**9


class Authority:
    """A directory with a CA and node certificates."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        pki.init(str(directory), CLOCK.now_ns() - 100 * DAY_NS)

    def files(self, name: str) -> TlsFiles:
        """The paths for a node."""
        at = self.directory
        return TlsFiles(str(at / "ca.crt"), str(at / f"{name}.crt"), str(at / f"{name}.key"), str(at / "ca.crl"))

    def issue(self, name: str, days: int = 30, now_ns: int | None = None) -> None:
        """A certificate for a node, as if made at ``now_ns``."""
        pki.issue(name, str(self.directory), (), days, now_ns=CLOCK.now_ns() if now_ns is None else now_ns)

    def identities(self, name: str) -> Identities:
        """A node's identity, issued when it is not there."""
        if not Path(self.files(name).cert).exists():
            self.issue(name)
        return Identities(self.files(name), name, CLOCK)

    def expired(self, name: str) -> Identities:
        """A node whose certificate ended ten days ago, and whose clock is so late that it does not see that."""
        self.issue(name, 30, CLOCK.now_ns() - 40 * DAY_NS)
        return Identities(self.files(name), name, ManualClock(CLOCK.now_ns() - 35 * DAY_NS))

    def renew(self, name: str) -> None:
        """A new key and certificate for the node."""
        pki.renew(name, str(self.directory), 30, now_ns=CLOCK.now_ns())

    def revoke(self, name: str) -> None:
        """Put the node's certificates on the list."""
        pki.revoke(name, str(self.directory), now_ns=CLOCK.now_ns())


class Served:
    """A secondary that listens on a free port."""

    def __init__(self, secondary: Secondary, identities: Identities, calls: int = 2) -> None:
        allowed = dict.fromkeys(("alpha", "gamma"), calls)
        self.server = GrpcServer("127.0.0.1:0", identities, secondary, secondary.seats, CLOCK, allowed, recheck=0.05)
        self.server.start()
        self.address = f"127.0.0.1:{self.server.port}"

    def transport(self, identities: Identities, peer: str = "beta") -> GrpcTransport:
        """A way to it."""
        return GrpcTransport(peer, self.address, identities, recheck=0.05)

    def close(self) -> None:
        self.server.stop()
