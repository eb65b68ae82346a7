"""The command line's end of the admin socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import quote, urlencode

from agent.api.controls import Json, Level, Progress, What
from agent.api.failures import error_from
from agent.core.errors import HikaeError, NotPermitted, Unreachable

ANSWER_LIMIT = 64 << 20
#: A long call is heard of at least every ``answers.PULSE`` seconds; silence of this length is an agent that hangs.
SILENCE_SECONDS = 30.0


class AdminClient:
    """Satisfies ``Controls`` by asking the agent behind ``path``.

    Besides what the agent raises: ``Unreachable`` when no agent is there or it stops in the middle of an answer,
    ``NotPermitted`` when the socket is not for this user."""

    def __init__(self, path: str, silence: float = SILENCE_SECONDS) -> None:
        self._path = path
        self._silence = silence

    def status(self) -> Json:
        return self._get_object("/v1/status")

    def events(self, since: int, limit: int) -> list[Json]:
        value = self._get(f"/v1/events?{urlencode({'since': since, 'limit': limit})}")
        if not isinstance(value, list):
            raise self._broken()
        return value

    def reload(self) -> Json:
        return self._post_to("/v1/reload", {})

    def wait(self, dataset: str, level: Level, timeout: float | None, progress: Progress) -> Json:
        return self._post(dataset, "wait", {"level": level, "timeout": timeout}, progress)

    def verify(self, dataset: str, deep: bool, progress: Progress, repair: bool = False) -> Json:
        return self._post(dataset, "verify", {"deep": deep, "repair": repair}, progress)

    def reconcile(self, dataset: str, progress: Progress) -> Json:
        return self._post(dataset, "reconcile", {}, progress)

    def pause(self, dataset: str, what: What, seconds: float | None) -> Json:
        return self._post(dataset, "pause", {"what": what, "seconds": seconds})

    def resume(self, dataset: str, what: What) -> Json:
        return self._post(dataset, "resume", {"what": what})

    def accept(self, dataset: str) -> Json:
        return self._post(dataset, "accept", {})

    def resync(self, dataset: str) -> Json:
        return self._post(dataset, "resync", {})

    def _get_object(self, target: str) -> Json:
        value = self._get(target)
        if not isinstance(value, dict):
            raise self._broken()
        return value

    def _get(self, target: str) -> Any:  # Any: JSON
        last: Any = None
        for value in self._lines("GET", target, None):
            last = value
        return self._result(last)

    def _post(
        self, dataset: str, action: str, arguments: Mapping[str, object], progress: Progress = lambda _: None
    ) -> Json:
        return self._post_to(f"/v1/datasets/{quote(dataset, safe='')}/{action}", arguments, progress)

    def _post_to(self, target: str, arguments: Mapping[str, object], progress: Progress = lambda _: None) -> Json:
        last: Any = None
        for value in self._lines("POST", target, json.dumps(arguments).encode()):
            if isinstance(value, dict) and isinstance(value.get("progress"), dict):
                progress(value["progress"])
            else:
                last = value
        result = self._result(last)
        if not isinstance(result, dict):
            raise self._broken()
        return result

    def _lines(self, method: str, target: str, body: bytes | None) -> Iterator[Any]:
        """The JSON values of an answer, one a line."""
        connection = _UnixConnection(self._path, self._silence)
        try:
            connection.request(method, target, body)
            answer = connection.getresponse()
            while line := _line(answer):
                if line.strip():
                    yield json.loads(line)
        except TimeoutError as error:
            raise self._unreachable(f"the agent has said nothing for {self._silence:.0f} s") from error
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
            return self._unreachable("no agent is running")
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
