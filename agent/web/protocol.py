"""HTTP/1.1 from strangers, bounded: a connection that brings no whole request in time, or reads no answer, is cut, and there are
at most so many of them.

uvicorn itself waits for ever for a first request, and refuses calls, not connections, when they are too many."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from agent.web.health import ANSWERS, said
from agent.web.known_requests import LONGEST, KnownRequest, KnownRequests


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """``connections``: at most so many at once; the one that has waited longest goes first. ``request_seconds``: within which a
    request must be there whole and its answer be taken. ``idle_seconds``: how long a connection may stand between two requests.
    ``head_bytes``: of a request's first line and headers."""

    connections: int = 1024
    request_seconds: float = 10.0
    idle_seconds: float = 75.0
    head_bytes: int = 16 << 10


class BoundedHttp(H11Protocol):
    """One connection. ``others``: the connections of the listener, in the order in which they came; ``known``: the requests that
    it knows again."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        others: dict[BoundedHttp, None],
        known: KnownRequests,
        limits: HttpLimits,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(config, server_state, {}, loop)
        self._known = known
        self._asked = b""
        self._others = others
        self._limits = limits
        self._deadline: asyncio.TimerHandle | None = None
        self.ws_protocol_class = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        self._within(self._limits.request_seconds)
        self._others[self] = None
        if len(self._others) > self._limits.connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``. A request that begins has its own time; bytes that trickle in do not lengthen it."""
        clean = self._is_clean()
        known = self._known.get(data) if clean else None
        if known is not None:
            self._answer(known)
            return
        self._asked = data if clean and len(data) <= LONGEST else b""
        if self._deadline is None:
            self._within(self._limits.request_seconds)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._cancel()
        self._others.pop(self, None)
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """See ``H11Protocol``: the answer was given to the transport. Then the next request may come, at once or later."""
        self._cancel()
        self._learn()
        super().on_response_complete()
        if not self.waits:
            self._within(self._limits.request_seconds)

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came: close, also where the last answer was never taken."""
        self.transport.abort()

    @property
    def waits(self) -> bool:
        """Whether nothing is being answered on it."""
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request, which uvicorn does not declare
        return cycle is None or cycle.response_complete

    def _is_clean(self) -> bool:
        """Whether what comes now is the beginning of a request, and its answer can be given away at once."""
        between = self.waits and self.conn.our_state is h11.IDLE and self.conn.their_state is h11.IDLE
        return between and not self.conn.trailing_data[0] and not self.flow.write_paused

    def _answer(self, known: KnownRequest) -> None:
        """The short way of a request that is known: nothing of it is parsed."""
        if self.transport.is_closing():
            return
        self._cancel()
        self._unset_keepalive_if_required()
        self.transport.write(known.said(self.server_state.default_headers))
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _learn(self) -> None:
        """Know the request that was answered again, where it came in one piece, alone, and the connection stays."""
        asked, self._asked = self._asked, b""
        ended = self.conn.our_state is h11.DONE and self.conn.their_state is h11.DONE
        answers = self.scope["state"].get(ANSWERS)
        if asked and ended and answers is not None and not self.conn.trailing_data[0]:
            self._known.remember(asked, KnownRequest(answers, partial(said, self.scope["method"])))

    def _make_room(self) -> None:
        """The one that came first of those that wait is cut; if all are being answered, this one."""
        oldest = next((one for one in self._others if one.waits), self)
        self._others.pop(oldest)
        oldest.transport.abort()

    def _within(self, seconds: float) -> None:
        self._cancel()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
