"""HAProxy's agent-check: a connection, at most one line with a name (``agent-send``), one line back that moves a server.

``up ready`` where it serves, ``maint`` on a standby, which is no alarm, ``drain`` while its role changes, ``down`` where nobody
may be sent: fenced, unconfirmed, or a state that is stale."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from agent.status.published import Json
from agent.status.state import Role
from agent.status.text import shown
from agent.web.looking import Published, StateLook
from agent.web.questions import chosen_of
from agent.web.serving import moves, serves

UP, MAINT, DRAIN = "up ready", "maint", "drain"


@dataclass(frozen=True, slots=True)
class AgentCheckLimits:
    """``line_seconds``: how long a line is waited for; who sends none asks for all datasets. ``line_bytes``: of a line.
    ``connections``: at once; the one that has waited longest goes for one more. ``send_seconds``: within which the answer must
    be taken."""

    line_seconds: float = 0.5
    line_bytes: int = 256
    connections: int = 256
    send_seconds: float = 5.0


def verdict(look: StateLook, name: str) -> str:
    """The line for a dataset, else a group, of that name; "" for all. Pure."""
    value = look.fresh
    if value is None:
        return "down #the agent's state is stale"
    chosen = chosen_of(value, name or None, None) or chosen_of(value, None, name)
    if not chosen:
        return f"down #no dataset or group {shown(name)} here" if name else "down #no datasets are configured"
    return _worst([_of(dataset) for dataset in chosen])


def _of(dataset: Json) -> str:
    if dataset["role"] == Role.FENCED:
        return "down #fenced"
    if moves(dataset):
        return DRAIN
    if serves(dataset):
        return UP
    return MAINT if dataset["role"] == Role.STANDBY else f"down #{shown(str(dataset['state']))}"


def _worst(lines: list[str]) -> str:
    """What holds for all of them together: one that is down takes all down."""
    down = next((line for line in lines if line.startswith("down")), None)
    return down or next(line for line in (DRAIN, MAINT, UP) if line in lines)


class AgentCheck:
    """Answers connections. Satisfies what ``asyncio.start_server`` calls."""

    def __init__(self, published: Published, limits: AgentCheckLimits = AgentCheckLimits()) -> None:
        self._published = published
        self._limits = limits
        #: In the order in which they came.
        self._open: dict[asyncio.StreamWriter, None] = {}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection. A load balancer says at once what it asks for, so that who says nothing keeps it from no answer."""
        self._open[writer] = None
        if len(self._open) > self._limits.connections:
            self._cut(next(iter(self._open)))
        try:
            await self._answered(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            self._open.pop(writer, None)
            writer.close()

    def _cut(self, writer: asyncio.StreamWriter) -> None:
        self._open.pop(writer)
        writer.transport.abort()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = await self._line(reader)
        try:
            line = verdict(self._published.public(), name)
        except (KeyError, TypeError, ValueError):
            line = "down #the agent's state is not understood"
        writer.write(f"{line}\n".encode())
        async with asyncio.timeout(self._limits.send_seconds):
            await writer.drain()

    async def _line(self, reader: asyncio.StreamReader) -> str:
        data = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.line_seconds):
                while b"\n" not in data and len(data) < self._limits.line_bytes:
                    more = await reader.read(self._limits.line_bytes - len(data))
                    if not more:
                        break
                    data += more
        return data.partition(b"\n")[0].decode(errors="replace").strip()
