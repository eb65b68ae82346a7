"""The loop of the second process: its listeners, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from agent.web.access import Gatekeeper
from agent.web.agent_check import AgentCheck, AgentCheckLimits
from agent.web.console import console_app
from agent.web.health import health_app
from agent.web.known_requests import MOST, KnownRequests
from agent.web.looking import Published
from agent.web.protocol import BoundedHttp, HttpLimits

#: Seconds that answers under way are waited for at the end.
_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Doors:
    """Bound sockets, and what guards them. ``agent_check`` and ``console`` need not be there. ``tls``: of the console."""

    health: socket.socket
    agent_check: socket.socket | None
    console: socket.socket | None
    keeper: Gatekeeper
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class WebLimits:
    """What strangers may take of this process. ``handshake_seconds``: within which who comes over TLS must have shown a
    certificate; before that he is counted nowhere."""

    health: HttpLimits = field(default_factory=HttpLimits)
    console: HttpLimits = field(default_factory=lambda: HttpLimits(connections=128))
    agent_check: AgentCheckLimits = field(default_factory=AgentCheckLimits)
    handshake_seconds: float = 5.0


def serve_http(
    published: Published,
    doors: Doors,
    started: Callable[[], None],
    over: Callable[[], bool],
    limits: WebLimits = WebLimits(),
) -> None:
    """Answer until SIGTERM or SIGINT, or until ``over`` says so, which is asked each second. ``started`` is called once all
    listeners answer."""
    asyncio.run(_until_the_end(WebService(published, doors, limits), started, over))


async def _until_the_end(service: WebService, started: Callable[[], None], over: Callable[[], bool]) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await service.open()
    started()
    while not ended.is_set() and not over():
        service.tell_the_time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await ended.wait()
    await service.close()


class WebService:
    """The listeners of one process; all of it in one loop."""

    def __init__(self, published: Published, doors: Doors, limits: WebLimits = WebLimits()) -> None:
        self._published = published
        self._doors = doors
        self._limits = limits
        self._listeners: list[_Listener] = []
        self._servers: list[asyncio.Server] = []

    async def open(self) -> None:
        """Answer at every door."""
        doors, loop = self._doors, asyncio.get_running_loop()
        health = _Listener(health_app(self._published), self._limits.health, loop)
        self._listeners.append(health)
        self._servers.append(await loop.create_server(health.connection, sock=doors.health))
        if doors.agent_check is not None:
            check = AgentCheck(self._published, self._limits.agent_check)
            self._servers.append(await asyncio.start_server(check.answer, sock=doors.agent_check))
        if doors.console is not None:
            console = _Listener(console_app(self._published, doors.keeper), self._limits.console, loop)
            self._listeners.append(console)
            patience = None if doors.tls is None else self._limits.handshake_seconds
            self._servers.append(
                await loop.create_server(
                    console.connection, sock=doors.console, ssl=doors.tls, ssl_handshake_timeout=patience
                )
            )

    def tell_the_time(self) -> None:
        """Once a second."""
        for listener in self._listeners:
            listener.tell_the_time()

    async def close(self) -> None:
        """Let nobody in any more, and end what is being answered, within the grace."""
        for server in self._servers:
            server.close()
        for listener in self._listeners:
            await listener.end()


class _Listener:
    """One address over HTTP, and the connections to it."""

    def __init__(
        self,
        app: Callable[..., Awaitable[Any]],  # Any: as ASGI has it
        limits: HttpLimits,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._config = Config(
            app,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=limits.idle_seconds,  # type: ignore[arg-type]  # seconds for the loop's timer
            h11_max_incomplete_event_size=limits.head_bytes,
        )
        self._config.load()
        self._state = ServerState()
        self._limits = limits
        self._loop = loop
        self._connections: dict[BoundedHttp, None] = {}
        self._known = KnownRequests(MOST)
        self.tell_the_time()

    def connection(self) -> BoundedHttp:
        """The protocol of a new connection."""
        return BoundedHttp(self._config, self._state, self._connections, self._known, self._limits, self._loop)

    def tell_the_time(self) -> None:
        """Once a second: for the header Date."""
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]

    async def end(self) -> None:
        """What is being answered comes to its end, within the grace."""
        for one in list(self._connections):
            one.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=_GRACE)
        for one in list(self._connections):
            one.transport.abort()
