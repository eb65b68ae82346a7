"""How the second process begins: read what only root may, bind, become nobody in particular, serve."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from agent.core.errors import ConfigError
from agent.web.access import TOKEN_LEAST, TOKEN_MOST, Gatekeeper
from agent.web.client_tls import ClientTls, list_beside
from agent.web.listening import listen_at
from agent.web.looking import Published, StatePlace
from agent.web.privileges import become_unprivileged
from agent.web.service import Doors, serve_http

#: Beside the published state: which process the agent started last, so that the next one takes its addresses over.
BESIDE = "web.pid"
#: Seconds until the one before has left its addresses.
_TAKE_OVER = 10.0
#: More than any agent asks of the second.
_NICE = -5
#: More than any token file has.
_MOST_BYTES = 65_536
_log = structlog.get_logger("web")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """``directory``: where the agent publishes. Addresses as ``host:port``; ``agent_check`` None: not served. ``client_ca``:
    the console speaks TLS with ``cert`` and ``key``, to holders of its certificates that ``client_crl`` does not name (None: of
    the list that lies beside it, if there is one); ``node_key``: the key that it must not be."""

    directory: str
    health: str
    agent_check: str | None
    console: str
    token_file: str | None
    cert: str | None
    key: str | None
    client_ca: str | None
    client_crl: str | None
    node_key: str


def start_web(settings: WebSettings, beside: int | None = None) -> None:
    """Serve until told to end. ``beside``: the agent that started this process; once it is gone, and no other publishes, that is
    the end too. Raises ``ConfigError``, ``Refused``, ``NotPermitted``."""
    within = 0.0
    if beside is not None:
        end_the_one_before(settings.directory)
        within = _TAKE_OVER
    published = Published(StatePlace(settings.directory))
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    tls = _client_tls(settings)
    token = None if settings.token_file is None else token_of(settings.token_file)
    keeper = Gatekeeper(token, full=token is not None or tls is not None)
    doors = Doors(
        health=listen_at("health.listen", settings.health, within),
        agent_check=_listening("health.agent_check", settings.agent_check, within),
        console=listen_at("console.listen", settings.console, within),
        keeper=keeper,
        tls=tls.context if tls is not None else None,
    )
    account = become_unprivileged()
    # What strangers send wrongly is answered, not logged: they could fill the journal.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    told = partial(_log.info, "health is served", listen=settings.health, console=settings.console, account=account)
    over = _never if beside is None else partial(_orphaned, beside, published)
    serve_http(published, doors, started=told, over=over if tls is None else partial(_refreshed, tls, over))


def token_of(path: str) -> bytes:
    """The token in a file, without the line's end. Raises ``ConfigError`` for none, or one that is easily guessed."""
    try:
        with open(path, "rb") as file:
            data, mode = file.read(_MOST_BYTES), os.fstat(file.fileno()).st_mode
    except OSError as error:
        remedy = f"openssl rand -hex 32 > {path}; chgrp hikae {path}; chmod 640 {path}"
        raise ConfigError("read console.token_file", path, error.strerror or str(error), remedy) from error
    token = data.strip()
    if not TOKEN_LEAST <= len(token) <= TOKEN_MOST or not token.isascii() or len(token.split()) != 1:
        reason = f"it is no token of {TOKEN_LEAST} to {TOKEN_MOST:,} characters in one line"
        raise ConfigError("read console.token_file", path, reason, f"openssl rand -hex 32 > {path}")
    if mode & 0o007:
        _log.warning("every user of this machine can read the console's token", path=path, remedy=f"chmod o= {path}")
    return token


def _own_identity(settings: WebSettings) -> tuple[str, str]:
    """Certificate and key of the console. Who takes this process over has its memory: with the node's key in it he could speak to
    peers as the node. Raises ``ConfigError``."""
    cert, key = settings.cert, settings.key
    if cert is None or key is None or _is_same(key, settings.node_key):
        reason = "the console needs a certificate and a key of its own: the node's key stays with the agent"
        remedy = "hikae pki issue NAME-console --host HOST makes one; write it as [console] cert and key"
        raise ConfigError("serve the console over TLS", "[console] client_ca", reason, remedy)
    return cert, key


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return os.path.abspath(path) == os.path.abspath(other)


def _listening(key: str, address: str | None, within: float) -> socket.socket | None:
    return None if address is None else listen_at(key, address, within)


def _client_tls(settings: WebSettings) -> ClientTls | None:
    if settings.client_ca is None:
        return None
    return ClientTls.open(
        *_own_identity(settings), settings.client_ca, settings.client_crl or list_beside(settings.client_ca)
    )


def _refreshed(tls: ClientTls, over: Callable[[], bool]) -> bool:
    """Each second: who was revoked meanwhile is let in no more."""
    tls.refresh()
    return over()


def _never() -> bool:
    return False


def _orphaned(agent: int, published: Published) -> bool:
    """The agent is gone, and nobody has come in its place: a restart would have published by now. Who reads what the agent wrote
    need not wait for us."""
    if os.getppid() == agent:
        return False
    _let_go_of_output()
    return published.public().fresh is None


def _let_go_of_output() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def end_the_one_before(directory: str) -> None:
    """What an earlier agent started serves still, so that no backend dropped; now it gives its addresses up."""
    path = Path(directory, BESIDE)
    try:
        before = int(path.read_text())
        if b"\0web\0" in Path(f"/proc/{before}/cmdline").read_bytes() and before != os.getpid():
            os.kill(before, signal.SIGTERM)
    except (OSError, ValueError):
        pass
    try:
        # Privileges are here still, and the directory may be one that others write into: nobody's link is followed.
        with open(path, "w", opener=_no_link) as file:
            file.write(f"{os.getpid()}\n")
    except OSError as error:
        _log.warning("the next agent cannot take over from this process", path=str(path), reason=str(error))


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
