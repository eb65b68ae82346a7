"""A primary that was taken over, over real mutual TLS: it has its node's key, and asks and calls its peer as it likes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from agent.config.values import Peer
from agent.core.clock import SystemClock
from agent.core.forwarded import Forwarded
from agent.core.ids import NOTHING, Epoch
from agent.rpc.client import GrpcTransport
from agent.rpc.peers.peer_caller import PeerCaller
from agent.rpc.tls import Identities, TlsFiles
from agent.stream.messages import Answers, Batch, Hello
from agent.stream.versions import SPOKEN
from fakes.agents import Fleet


class HostilePrimary:
    """Speaks as the node ``name``, whose own agent does not run, to ``peer``."""

    def __init__(self, fleet: Fleet, name: str = "alpha", peer: str = "beta") -> None:
        keys = fleet.keys
        files = TlsFiles(
            str(keys / "ca.crt"), str(keys / f"{name}.crt"), str(keys / f"{name}.key"), str(keys / "ca.crl")
        )
        self._identities = Identities(files, name, SystemClock())
        self._name, self._peer = name, Peer(peer, f"127.0.0.1:{fleet[peer].port}")

    def ask(self, operation: str, arguments: Mapping[str, Any], dataset: str = "web") -> Any:  # Any: JSON
        """What the peer answers. Raises what it answers, as ``PeerCaller.ask``."""
        asked = Forwarded(dataset, operation, arguments, "root (uid 0)")
        return PeerCaller(self._identities).ask(self._peer, asked, lambda _: None)

    def calls(self, epoch: Epoch, dataset: str = "web") -> Answers:
        """What the peer answers to a call that comes with this epoch, which then ends."""
        hello = Hello(self._name, dataset, SPOKEN, epoch, NOTHING, os.urandom(32))
        with closing(GrpcTransport(self._peer.name, self._peer.address, self._identities)) as transport:
            return next(transport.exchange(self._peer.name, _one(hello)), ())


def _one(hello: Hello) -> Iterator[Batch]:
    yield (hello,)
