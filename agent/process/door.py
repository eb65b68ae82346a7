"""The operators' way into a node: the socket, the desk behind it, and what was typed on another node."""

from __future__ import annotations

import threading
from typing import Any

from agent.api.server import AdminServer
from agent.core.errors import HikaeError
from agent.core.forwarded import Forwarded, Told
from agent.node.assembly import Node
from agent.operations.declaration import Request
from agent.operations.desk import OperatorDesk
from agent.operations.elsewhere.from_peers import PeersDesk
from agent.operations.journal import Caller, typed_event
from agent.operations.running import RunningAgent


class AdminDoor:
    """The admin socket of one node at ``path``. Satisfies ``node.assembly.Door``."""

    def __init__(self, path: str, node: Node) -> None:
        agent = RunningAgent(
            node.members,
            node.publisher.publish,
            node.events.since,
            node.reloader.reload,
            node.reloader.remove,
            node.forward,
            node.moment,
            threading.Event(),
        )
        self._desk = OperatorDesk(agent)
        self._peers = PeersDesk(agent, self._desk, node.tell, node.clock)
        self._node = node
        self._server = AdminServer(path, self._desk, self._tell)

    def _tell(self, caller: Caller, request: Request[Any], error: HikaeError | None = None) -> None:
        event = typed_event(caller, request, error)
        if event is not None:
            self._node.tell(event)

    def answer(self, peer: str, asked: Forwarded, told: Told) -> object:
        """See ``ForwardedDesk``."""
        return self._peers.answer(peer, asked, told)

    def start(self) -> None:
        """Listen and answer. Raises what ``AdminServer.start`` raises."""
        self._server.start()

    def stop(self) -> None:
        """Long calls end with ``TryAgain``; then the socket is taken away."""
        self._desk.stop()
        self._server.stop()
