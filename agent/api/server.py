"""The agent's end of the admin socket: the standard library's HTTP server (docs/decisions/0004)."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Protocol

import structlog

from agent.api.answers import LineAnswer
from agent.api.failures import http_code
from agent.api.routes import HttpRequest, asked_for, parse_target
from agent.api.socket_file import SocketFile
from agent.core.error_json import error_json
from agent.core.errors import HikaeError, NotPermitted, TryAgain, UsageError
from agent.operations.declaration import Controls, Json, Request
from agent.operations.journal import Caller

BODY_LIMIT = 64 << 10
REQUEST_SECONDS = 10.0

_BUG = HikaeError("finish the call", "", "this is a bug in hikae", "see the agent's log")
_log = structlog.get_logger("api")
#: What the kernel shows for a process that no login began.
_NO_LOGIN = 2**32 - 1
_CREDENTIALS = struct.Struct("3i")


class Desk(Protocol):
    """What is served (``operations.desk.OperatorDesk``)."""

    def typed_by(self, caller: Caller) -> Controls:
        """The agent as one user has it."""
        ...


class Journal(Protocol):
    """What is told of a call before it is done, and once more with the ``error`` by which it was refused, or failed."""

    def __call__(self, caller: Caller, request: Request[Any], error: HikaeError | None = None, /) -> None: ...


def root_and_our_own() -> tuple[int, ...]:
    """The user ids that may use the socket."""
    return 0, os.geteuid()


@dataclass(frozen=True, slots=True)
class AdminLimits:
    """How many calls there may be at once, and of which users."""

    calls_at_once: int = 64
    users: tuple[int, ...] = field(default_factory=root_and_our_own)


def _login_of(pid: int) -> int | None:
    """The user that the caller's session began as; None where the kernel keeps no such record, or the caller has gone."""
    try:
        login = int(Path(f"/proc/{pid}/loginuid").read_text())
    except (OSError, ValueError):
        return None
    return None if login == _NO_LOGIN else login


class AdminServer:
    """Serves ``desk`` at ``path`` to root and to the agent's own user, each call in a thread of its own. ``journal`` is told
    of every call before it is done, and by whom it was typed; and of each that was refused or failed.

    ``start`` raises what ``SocketFile.bind`` raises. ``stop`` ends once every call has: the desk must be told
    to stop before, so that their long calls end."""

    def __init__(self, path: str, desk: Desk, journal: Journal, limits: AdminLimits | None = None) -> None:
        self._desk = desk
        self._journal = journal
        self._limits = limits or AdminLimits()
        self._file = SocketFile(path)
        self._server: _Server | None = None
        self._thread = threading.Thread(target=self._serve, name="admin")

    def start(self) -> None:
        """Listen and answer."""
        server = _Server(self._desk, self._journal, self._limits)
        try:
            self._file.bind(server.socket)
            server.server_activate()
        except BaseException:
            server.server_close()
            raise
        self._server = server
        self._thread.start()

    def stop(self) -> None:
        """Answer nobody any more, wait for the calls that run, and take the socket away."""
        server = self._server
        if server is None:
            return
        self._server = None
        server.shutdown()
        self._thread.join()
        server.hang_up()
        server.server_close()
        self._file.remove()

    def _serve(self) -> None:
        if self._server is not None:
            self._server.serve_forever(poll_interval=0.1)


class _Server(socketserver.ThreadingUnixStreamServer):
    """Listening, threads, and the connections that are open."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def __init__(self, desk: Desk, journal: Journal, limits: AdminLimits) -> None:
        super().__init__("", _Handler, bind_and_activate=False)
        self.desk = desk
        self.journal = journal
        self.limits = limits
        self.room = threading.BoundedSemaphore(limits.calls_at_once)
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:  # Any: as the base class has it
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("a caller went away", exc_info=True)

    def hang_up(self) -> None:
        """End reading on every open connection, so that a caller who says nothing keeps no thread."""
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RD)
                except OSError:
                    continue


class _Handler(BaseHTTPRequestHandler):
    """One connection, one request."""

    server: _Server
    server_version = "hikae"
    sys_version = ""
    timeout = REQUEST_SECONDS

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        _log.debug("request", line=format % args)

    def _answer(self) -> None:
        try:
            pid, uid = self._credentials()
            self._check(uid)
            if not self.server.room.acquire(blocking=False):
                raise TryAgain(
                    "answer the request", "", f"{self.server.limits.calls_at_once} calls are running", "try again"
                )
            try:
                self._dispatch(pid, uid)
            finally:
                self.server.room.release()
        except HikaeError as error:
            self._send(http_code(error), {"error": error_json(error)})
        except OSError:
            raise  # the caller has gone
        except Exception:  # noqa: BLE001  whatever was asked, there is an answer
            _log.exception("a request failed")
            self._send(500, {"error": error_json(_BUG)})

    def _dispatch(self, pid: int, uid: int) -> None:
        path, query = parse_target(self.path)
        arguments = self._body() if self.command == "POST" else query
        operation, request = asked_for(HttpRequest(self.command, path, arguments))
        # A reading call is written down nowhere, and many programs make one each second.
        caller = Caller(uid, _login_of(pid) if operation.changes(request) else None)
        controls = self.server.desk.typed_by(caller)
        self.server.journal(caller, request)

        def failed(error: HikaeError) -> None:
            self.server.journal(caller, request, error)

        if not operation.long:
            self._send(200, _outcome(lambda: controls.ask(request), failed))
            return
        self._head(200, "application/x-ndjson")
        # A long call is bounded by its own timeout, and by the caller's patience: the pulse notices when that ends.
        with LineAnswer(self.wfile) as answer:
            answer.finish(_outcome(lambda: controls.ask(request, answer.progress), failed))

    def _credentials(self) -> tuple[int, int]:
        """Process and user of the caller."""
        raw = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _gid = _CREDENTIALS.unpack(raw)
        return pid, uid

    def _check(self, uid: int) -> None:
        if uid not in self.server.limits.users:
            reason = "only root and the agent's own user may"
            raise NotPermitted("use the admin socket", f"user {uid}", reason, "use sudo")

    def _body(self) -> Json:
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or len(length) > 9 or int(length) > BODY_LIMIT:
            raise UsageError(
                "understand the request", "", f"its body must have a stated length up to {BODY_LIMIT} bytes"
            )
        try:
            value = json.loads(self.rfile.read(int(length)) or b"{}")
        except TimeoutError as error:
            raise UsageError("understand the request", "", "its body did not come") from error
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise UsageError("understand the request", "", "its body is no JSON object")
        return value

    def _send(self, code: int, value: Json) -> None:
        data = json.dumps(value).encode()
        self._head(code, "application/json", len(data))
        self.wfile.write(data)

    def _head(self, code: int, kind: str, length: int | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()


def _outcome(call: Callable[[], object], failed: Callable[[HikaeError], None]) -> Json:
    """The answer of a call. ``failed`` is told what it ended with, where that is an error."""
    try:
        return {"result": call()}
    except HikaeError as error:
        ended = error
    except ConnectionError:
        ended = TryAgain("finish the call", "", "the caller has gone")
    except Exception:  # noqa: BLE001  whatever a call raises, its caller gets an answer
        _log.exception("a call failed")
        ended = _BUG
    failed(ended)
    return {"error": error_json(ended)}
