"""Requests that came before, byte for byte: answered the short way, with the bytes that the whole way sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from agent.status.public import PUBLIC
from agent.web.health import health_app, said
from agent.web.known_requests import LONGEST, MOST, KnownRequest, KnownRequests
from agent.web.looking import Published, StatePlace
from agent.web.protocol import BoundedHttp, HttpLimits
from agent.web.questions import Answer
from fakes.api_fakes import a_dataset, a_node
from fakes.web_fakes import publish

T = TypeVar("T")
_DATE = (b"date", b"Sun, 06 Nov 1994 08:49:37 GMT")


def _request(path: str = "/primary", method: str = "GET", more: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


class _Counted:
    """The application of health, which counts what goes the whole way."""

    def __init__(self, directory: Path) -> None:
        self.app = health_app(Published(StatePlace(str(directory))))
        self.count = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.count += 1
        await self.app(scope, receive, send)


class _Client:
    """One connection to it, and what went the whole way."""

    def __init__(self, app: _Counted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.app = app
        self._reader = reader
        self.writer = writer

    async def ask(self, request: bytes) -> tuple[bytes, int]:
        """The whole answer, and how many requests went the whole way for it."""
        before = self.app.count
        self.writer.write(request)
        return await self.answer(head=request.startswith(b"HEAD")), self.app.count - before

    async def answer(self, *, head: bool = False) -> bytes:
        """The next one."""
        async with asyncio.timeout(20):
            top = await self._reader.readuntil(b"\r\n\r\n")
            length = int(top.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return top if head else top + await self._reader.readexactly(length)

    async def rest(self) -> bytes:
        """All that comes until the other side closes."""
        async with asyncio.timeout(20):
            return await self._reader.read()


@asynccontextmanager
async def _connected(app: _Counted) -> AsyncIterator[_Client]:
    loop, state = asyncio.get_running_loop(), ServerState()
    state.default_headers = [_DATE]
    config = Config(app, interface="asgi3", lifespan="off", ws="none", log_config=None, access_log=False)
    config.load()
    others: dict[BoundedHttp, None] = {}
    known = KnownRequests(MOST)
    server = await loop.create_server(
        lambda: BoundedHttp(config, state, others, known, HttpLimits(), loop), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    try:
        yield _Client(app, reader, writer)
    finally:
        writer.close()
        server.close()


def _run(directory: Path, act: Callable[[_Client], Awaitable[T]]) -> T:
    publish(directory, a_node(a_dataset()))

    async def run() -> T:
        async with _connected(_Counted(directory)) as client:
            return await act(client)

    return asyncio.run(run())


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/primary", "/standby", "/datasets/none/primary", "/promotable", "/primary?x=y", "/livez"]
)
def test_the_short_way_sends_the_bytes_of_the_whole_way(tmp_path: Path, path: str, method: str) -> None:
    """Whatever the code, and whether there is a body."""

    async def act(client: _Client) -> list[tuple[bytes, int]]:
        return [await client.ask(_request(path, method)) for _ in range(3)]

    whole, short, again = _run(tmp_path, act)
    assert (whole[0], 1) == whole
    assert [(whole[0], 0)] * 2 == [short, again]


def test_what_is_known_is_answered_by_what_is_published_now(tmp_path: Path) -> None:
    """A state that changed, and one that is gone."""

    async def act(client: _Client) -> list[tuple[bytes, bytes, int]]:
        found = []
        for change in (
            lambda: None,
            lambda: publish(tmp_path, a_node(a_dataset()), serving=False),
            (tmp_path / PUBLIC).unlink,
        ):
            change()
            answer, count = await client.ask(_request())
            found.append((answer[9:12], answer.split(b"\r\n\r\n")[1], count))
        return found

    assert [(b"200", b"primary\n", 1), (b"503", b"stale\n", 0)] == [_run(tmp_path, act)[at] for at in (0, 2)]
    code, word, count = _run(tmp_path, act)[1]
    assert (b"503", 0, False) == (code, count, word == b"primary\n")


@pytest.mark.parametrize(
    "request_",
    [_request() * 2, _request(more=f"X: {'y' * LONGEST}\r\n"), _request("/none"), _request(method="POST")],
    ids=["two at once", "very long", "no address", "another method"],
)
def test_what_is_not_one_request_of_ours_goes_the_whole_way(tmp_path: Path, request_: bytes) -> None:
    """Also the second time."""
    each = request_.count(b"HTTP/1.1")

    async def act(client: _Client) -> int:
        for _ in range(3):
            await client.ask(request_)
            for _ in range(each - 1):
                await client.answer()
        return client.app.count

    assert 3 * each == _run(tmp_path, act)


def test_a_body_that_looks_like_a_known_request_is_none(tmp_path: Path) -> None:
    """It is of the request before, which was answered already: nothing is said to it."""

    async def act(client: _Client) -> tuple[bytes, bytes]:
        await client.ask(_request())
        refused, _ = await client.ask(_request(method="POST", more=f"Content-Length: {len(_request())}\r\n"))
        client.writer.write(_request())
        client.writer.write_eof()
        return refused[9:12], await client.rest()

    assert (b"405", b"") == _run(tmp_path, act)


def test_a_new_date_stands_in_the_next_answer() -> None:
    """What comes before an answer's own headers is looked at each time."""
    known = KnownRequest(lambda: Answer(200, "primary"), partial(said, "GET"))
    dates = [known.said([(b"date", date)]).split(b"\r\n")[1] for date in (b"now", b"then")]
    assert [b"date: now", b"date: then"] == dates
