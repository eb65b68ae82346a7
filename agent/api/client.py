"""The command line's end of the admin socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, cast

from agent.api.addresses import address_of
from agent.core.error_json import error_from
from agent.core.errors import HikaeError, NotPermitted, Unreachable
from agent.operations.declaration import AnswerT, Progress, Request
from agent.operations.reading import EventsRequest, StatusRequest

ANSWER_LIMIT = 64 << 20
#: A long call is heard of at least every ``answers.PULSE`` seconds; silence of this length is an agent that hangs.
SILENCE_SECONDS = 30.0
#: What only reads what is published is answered at once, whatever else goes on.
READING_SECONDS = 10.0


class AdminClient:
    """Satisfies ``Controls`` by asking the agent behind ``path``.

    Besides what the agent raises: ``Unreachable`` when no agent is there or it stops in the middle of an answer,
    ``NotPermitted`` when the socket is not for this user."""

    def __init__(self, path: str, silence: float = SILENCE_SECONDS, reading: float = READING_SECONDS) -> None:
        self._path = path
        self._silence = silence
        self._reading = min(silence, reading)

    def ask(self, request: Request[AnswerT], progress: Progress | None = None) -> AnswerT:
        """See ``Controls``."""
        address = address_of(request)
        body = None if address.body is None else json.dumps(address.body).encode()
        last: Any = None  # Any: JSON
        reads = isinstance(request, StatusRequest | EventsRequest)
        for value in self._lines(address.method, address.target, body, self._reading if reads else self._silence):
            if isinstance(value, dict) and isinstance(value.get("progress"), dict):
                if progress is not None:
                    progress(value["progress"])
            else:
                last = value
        result = self._result(last)
        if type(result) is not request.ANSWER:
            raise self._broken()
        return cast(AnswerT, result)

    def _lines(self, method: str, target: str, body: bytes | None, silence: float) -> Iterator[Any]:
        """The JSON values of an answer, one a line."""
        connection = _UnixConnection(self._path, silence)
        try:
            connection.request(method, target, body)
            answer = connection.getresponse()
            while line := _line(answer):
                if line.strip():
                    yield json.loads(line)
        except TimeoutError as error:
            reason = f"the agent runs, and has said nothing for {silence:.0f} s: it hangs, or is overloaded"
            remedy = "systemctl restart hikae (its watchdog does so by itself); hikae check says how it was before"
            raise Unreachable("ask the agent", self._path, reason, remedy) from error
        except OSError as error:
            raise self._mapped(error) from error
        except (HTTPException, ValueError) as error:
            raise self._broken() from error
        finally:
            connection.close()

    def _result(self, value: Any) -> Any:
        """The result in the last line; raises the error in it, or ``Unreachable`` when there is neither."""
        if isinstance(value, dict) and "result" in value:
            return value["result"]
        if isinstance(value, dict) and "error" in value:
            try:
                raised = error_from(value["error"])
            except (KeyError, TypeError, ValueError):
                raise self._broken() from None
            raise raised
        raise self._unreachable("the agent stopped before it had answered")

    def _mapped(self, error: OSError) -> HikaeError:
        if isinstance(error, PermissionError):
            return NotPermitted("ask the agent", self._path, "the socket is for root and the agent's user", "use sudo")
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            started = "systemctl status hikae; journalctl -u hikae; to start it: systemctl start hikae"
            return Unreachable("ask the agent", self._path, "no agent is running", started)
        return self._unreachable(error.strerror or str(error) or type(error).__name__)

    def _unreachable(self, reason: str) -> Unreachable:
        return Unreachable("ask the agent", self._path, reason, "systemctl status hikae; journalctl -u hikae")

    def _broken(self) -> HikaeError:
        return HikaeError(
            "understand the agent's answer",
            self._path,
            "it is not what this version expects",
            "compare hikae --version with the agent's",
        )


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._socket_path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._socket_path)


def _line(answer: HTTPResponse) -> bytes:
    line = answer.readline(ANSWER_LIMIT)
    if len(line) >= ANSWER_LIMIT:
        raise ValueError("a line without an end")
    return line
