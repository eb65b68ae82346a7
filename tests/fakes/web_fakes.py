"""A published state without an agent, and the second process's listeners around it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.ids import commit_number
from agent.status.facts import NodeFacts
from agent.status.public import FULL, PUBLIC, public_json
from agent.status.published import Json, status_json
from agent.status.state import Role
from agent.web.access import Gatekeeper
from agent.web.listening import listen_at
from agent.web.looking import Published, StateLook, StatePlace
from agent.web.service import Doors, WebLimits, WebService
from fakes.api_fakes import a_dataset

PRODUCTION = WebLimits()
STANDBY = a_dataset("mail", role=Role.STANDBY, group="post", peers=(), applied=commit_number(3, 1842), whole=True)
LET_ALL = Gatekeeper(None, full=False)


def a_look(facts: NodeFacts, age: float = 0.5) -> StateLook:
    """What these facts are published as, to everybody."""
    return StateLook(public_json(status_json(facts)), age)


def publish(directory: Path, facts: NodeFacts, **more: Any) -> Json:
    """Lay both files down as the agent does; the full value. ``more`` is put into every dataset."""
    value = status_json(facts)
    value["datasets"] = [{**dataset, **more} for dataset in value["datasets"]]
    for name, one in ((FULL, value), (PUBLIC, public_json(value))):
        new = directory / f"{name}.new"
        new.write_text(json.dumps(one))
        new.replace(directory / name)
    return value


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the listeners are, on loopback."""

    health: int
    agent_check: int
    console: int


@asynccontextmanager
async def served(
    directory: Path,
    limits: WebLimits = PRODUCTION,
    keeper: Gatekeeper = LET_ALL,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Ports]:
    """All listeners over what is published in a directory."""
    sockets = [listen_at(key, "127.0.0.1:0") for key in ("health", "agent_check", "console")]
    ports = Ports(*(one.getsockname()[1] for one in sockets))
    health, agent_check, console = sockets
    doors = Doors(health, agent_check, console, keeper, tls)
    service = WebService(Published(StatePlace(str(directory))), doors, limits)
    await service.open()
    try:
        yield ports
    finally:
        await service.close()


async def said(port: int, sent: bytes, within: float = 20.0) -> bytes:
    """All that comes back for these bytes until the other side closes; ours stays open for writing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        async with asyncio.timeout(within):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def got(port: int, path: str, method: str = "GET", headers: str = "") -> tuple[int, str]:
    """The code and the body of one request."""
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"
    head, _, body = (await said(port, request.encode())).partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()
