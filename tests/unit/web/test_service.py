"""The listeners: what is answered over HTTP, and what strangers may not do."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from agent.status.facts import NodeFacts
from agent.web.access import Gatekeeper
from agent.web.protocol import HttpLimits
from agent.web.service import WebLimits
from fakes.api_fakes import a_dataset, a_node, a_problem
from fakes.web_fakes import LET_ALL, PRODUCTION, Ports, got, publish, said, served

T = TypeVar("T")
TOKEN = "correct-horse-battery"
USUAL = a_node(a_dataset())
SHORT = WebLimits(health=HttpLimits(connections=8, request_seconds=0.3, idle_seconds=0.3, head_bytes=4096))


def _run(
    directory: Path,
    ask: Callable[[Ports], Awaitable[T]],
    limits: WebLimits = PRODUCTION,
    keeper: Gatekeeper = LET_ALL,
    facts: NodeFacts = USUAL,
) -> T:
    publish(directory, facts)

    async def run() -> T:
        async with served(directory, limits, keeper) as ports:
            return await ask(ports)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/livez", (200, "alive\n")),
        ("/readyz", (200, "ready\n")),
        ("/primary", (200, "primary\n")),
        ("/standby", (503, "primary\n")),
        ("/datasets/web/primary", (200, "primary\n")),
        ("/groups/shop/primary", (200, "primary\n")),
        ("/groups/web/primary", (404, "unknown\n")),
        ("/datasets/web", (404, "there is nothing at this address\n")),
        ("/status", (404, "there is nothing at this address\n")),
        ("/metrics", (404, "there is nothing at this address\n")),
        ("/primary?", (200, "primary\n")),
        ("/primary?max_lag=3s", (400, "'max_lag' is no parameter: /primary takes no parameters\n")),
        ("/standby?=&=&", (400, "the parameters cannot be read: write NAME=VALUE, with & between them\n")),
    ],
)
def test_health_answers_codes_and_one_word(tmp_path: Path, path: str, expected: tuple[int, str]) -> None:
    """Every address of health; status and metrics are on the console alone."""
    assert expected == _run(tmp_path, lambda ports: got(ports.health, path))


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_head_and_options_answer_the_code_alone(tmp_path: Path, method: str) -> None:
    """As HAProxy's httpchk asks."""
    paths = ("/primary", "/standby", "/nix")

    async def ask(ports: Ports) -> list[tuple[int, str]]:
        return [await got(ports.health, path, method) for path in paths]

    assert [(200, ""), (503, ""), (404, "")] == _run(tmp_path, ask)


def test_other_methods_are_405(tmp_path: Path) -> None:
    """Nothing is changed over this port."""
    assert (405, "") == _run(tmp_path, lambda ports: got(ports.health, "/primary", "POST"))


def test_a_state_that_is_gone_torn_or_old_is_503_and_comes_back(tmp_path: Path) -> None:
    """Readiness follows the file, whatever becomes of it; the process itself lives."""

    async def ask(ports: Ports) -> list[int]:
        codes = []
        path = tmp_path / "state.json"
        kept = path.read_bytes()

        async def both() -> None:
            codes.extend([(await got(ports.health, "/readyz"))[0], (await got(ports.health, "/livez"))[0]])

        os.utime(path, (1, 1))
        await both()
        path.unlink()
        await both()
        path.write_text("{")
        await both()
        path.unlink()
        path.write_bytes(kept)
        await both()
        return codes

    assert [503, 200, 503, 200, 503, 200, 200, 200] == _run(tmp_path, ask)


def test_a_state_of_another_release_sends_nobody(tmp_path: Path) -> None:
    """Keys that are missing are no answer and no traceback for who asks."""

    async def ask(ports: Ports) -> tuple[int, str]:
        (tmp_path / "state.json").write_text(json.dumps({"schema": 1, "datasets": [{"name": "web"}]}))
        return await got(ports.health, "/primary")

    assert (503, "not-understood\n") == _run(tmp_path, ask)


def test_without_a_token_nobody_sees_a_path(tmp_path: Path) -> None:
    """The console answers what everybody on the machine may read, and with the token all of it."""
    facts = a_node(a_dataset(problems=(a_problem(path=b"/secret/name", message="secret message"),)))
    bearer = f"Authorization: Bearer {TOKEN}\r\n"

    def asked(headers: str) -> Callable[[Ports], Awaitable[list[tuple[int, str]]]]:
        async def ask(ports: Ports) -> list[tuple[int, str]]:
            return [await got(ports.console, path, headers=headers) for path in ("/status", "/metrics", "/")]

        return ask

    closed = Gatekeeper(TOKEN.encode(), full=True)
    open_to_all = _run(tmp_path, asked(""), facts=facts)
    let_in = _run(tmp_path, asked(bearer), keeper=closed, facts=facts)
    refused = _run(tmp_path, asked(bearer[:-3] + "X\r\n"), keeper=closed, facts=facts)
    assert [[200] * 3, [200] * 3, [401] * 3] == [[code for code, _ in rows] for rows in (open_to_all, let_in, refused)]
    assert [False, True, False] == ["secret" in str(rows) for rows in (open_to_all, let_in, refused)]


def test_status_is_the_contracts_json_with_its_age(tmp_path: Path) -> None:
    """What ``hikae status --json`` says, and how old it is."""
    code, body = _run(tmp_path, lambda ports: got(ports.console, "/status"))
    told = json.loads(body)
    assert (200, "alpha", True) == (code, told["node"], 0 <= told["age_seconds"] < 15)


def test_a_stale_state_is_told_on_the_console(tmp_path: Path) -> None:
    """``/status`` and the page are 503; metrics go on and say that it is stale."""

    async def ask(ports: Ports) -> list[int]:
        os.utime(tmp_path / "state.json", (1, 1))
        codes = [(await got(ports.console, path))[0] for path in ("/status", "/")]
        code, body = await got(ports.console, "/metrics")
        assert "hikae_state_fresh 0.0\n" in body
        return [*codes, code]

    assert [503, 503, 200] == _run(tmp_path, ask)


@pytest.mark.parametrize("sent", [b"", b"GET /primary HTTP/1.1\r\n", b"GET /primary HTTP/1.1\r\nHost: x\r\nX: "])
def test_who_sends_no_whole_request_is_cut(tmp_path: Path, sent: bytes) -> None:
    """A slow loris holds a connection for as long as a request may take and no longer."""
    assert b"" == _run(tmp_path, lambda ports: said(ports.health, sent), SHORT)


def test_bytes_that_trickle_in_do_not_lengthen_a_request(tmp_path: Path) -> None:
    """The time is that of the whole request."""

    async def ask(ports: Ports) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports.health)
        writer.write(b"GET /primary HTTP/1.1\r\nHost: x\r\n")
        ended = asyncio.ensure_future(reader.read())
        while not ended.done():
            writer.write(b"X: y\r\n")
            await asyncio.wait([ended], timeout=0.05)
        writer.close()
        try:
            return ended.result()
        except ConnectionError:
            return b""

    assert b"" == _run(tmp_path, ask, SHORT)


def test_huge_headers_are_refused(tmp_path: Path) -> None:
    """A head beyond its bound is 400, and read no further."""
    request = b"GET /primary HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 5000
    assert b"HTTP/1.1 400" == _run(tmp_path, lambda ports: said(ports.health, request), SHORT)[:12]


def test_pipelined_requests_are_each_answered(tmp_path: Path) -> None:
    """One after the other, in order, on one connection."""
    one = b"GET /primary HTTP/1.1\r\nHost: x\r\n\r\n"
    answers = _run(tmp_path, lambda ports: said(ports.health, one * 20), SHORT)
    assert (20, 20) == (answers.count(b"HTTP/1.1 200"), answers.count(b"primary\n"))


def test_idle_connections_do_not_keep_others_out(tmp_path: Path) -> None:
    """Beyond the bound the one that has waited longest goes, so whoever asks is answered."""
    limits = WebLimits(health=HttpLimits(connections=8, request_seconds=600.0))

    async def ask(ports: Ports) -> tuple[int, int]:
        idle = [await asyncio.open_connection("127.0.0.1", ports.health) for _ in range(40)]
        code, _ = await got(ports.health, "/primary")
        cut = 0
        for reader, _ in idle[:32]:
            try:
                async with asyncio.timeout(20):
                    cut += await reader.read() == b""
            except ConnectionError:
                cut += 1
        for _, writer in idle:
            writer.close()
        return code, cut

    assert (200, 32) == _run(tmp_path, ask, limits)


def test_a_body_that_never_ends_holds_nothing(tmp_path: Path) -> None:
    """A request that says that it brings much, and brings nothing, is answered and cut."""
    request = b"GET /primary HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nxx"
    begun = time.monotonic()
    answered = _run(tmp_path, lambda ports: said(ports.health, request), SHORT)
    assert (b"HTTP/1.1 200", True) == (answered[:12], time.monotonic() - begun < 20)


def test_who_says_nothing_over_tls_is_cut(tmp_path: Path) -> None:
    """Before he has shown a certificate he is counted nowhere, so his time is short."""
    publish(tmp_path, USUAL)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    async def ask() -> bytes:
        async with served(tmp_path, WebLimits(handshake_seconds=0.3), LET_ALL, tls) as ports:
            return await said(ports.console, b"")

    assert b"" == asyncio.run(ask())
