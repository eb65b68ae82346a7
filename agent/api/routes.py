"""Which request means which control. Pure: no socket is known here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from agent.api.controls import Controls, Json, Level, Progress, What
from agent.core.clock import LONGEST_DURATION
from agent.core.errors import NotFound, UsageError

Answer: TypeAlias = "Json | list[Json]"
Call: TypeAlias = Callable[[Controls, Progress], Answer]

PREFIX = "/v1"
_EVENTS_LIMIT = 10_000
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Request:
    """What a route decides on: ``arguments`` are the query's or the body's."""

    method: str
    path: str
    arguments: Mapping[str, object]


def parse_target(target: str) -> tuple[str, dict[str, object]]:
    """Path and query of a request line's target. Raises ``UsageError``."""
    try:
        parts = urlsplit(target)
        return parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError as error:
        raise UsageError("understand the request", target[:_SHOWN], f"it is no address: {error}") from error


def is_long(request: Request) -> bool:
    """Whether the answer is a stream of lines."""
    return request.method == "POST"


def call_for(request: Request) -> Call:
    """The call that a request asks for. Raises ``NotFound`` for no such route, ``UsageError`` for bad arguments."""
    if request.method == "GET":
        return _reading(request)
    if request.path == f"{PREFIX}/reload":
        return lambda controls, _progress: controls.reload()
    parts = request.path.split("/")
    if len(parts) != 5 or parts[:3] != ["", "v1", "datasets"] or parts[4] not in _ACTIONS:
        raise _unknown(request)
    return _ACTIONS[parts[4]](unquote(parts[3]), request.arguments)


def _reading(request: Request) -> Call:
    if request.path == f"{PREFIX}/status":
        return lambda controls, _progress: controls.status()
    if request.path == f"{PREFIX}/events":
        since, limit = _whole(request.arguments, "since", 0), _whole(request.arguments, "limit", 100)
        return lambda controls, _progress: controls.events(since, min(limit, _EVENTS_LIMIT))
    raise _unknown(request)


def _wait(dataset: str, arguments: Mapping[str, object]) -> Call:
    level = cast(Level, _one_of(arguments, "level", ("durable", "applied")))
    timeout = _seconds(arguments, "timeout")
    return lambda controls, progress: controls.wait(dataset, level, timeout, progress)


def _verify(dataset: str, arguments: Mapping[str, object]) -> Call:
    deep, repair = _flag(arguments, "deep"), _flag(arguments, "repair")
    return lambda controls, progress: controls.verify(dataset, deep, progress, repair)


def _reconcile(dataset: str, _arguments: Mapping[str, object]) -> Call:
    return lambda controls, progress: controls.reconcile(dataset, progress)


def _pause(dataset: str, arguments: Mapping[str, object]) -> Call:
    what = cast(What, _one_of(arguments, "what", ("both", "send", "apply")))
    seconds = _seconds(arguments, "seconds")
    return lambda controls, _progress: controls.pause(dataset, what, seconds)


def _resume(dataset: str, arguments: Mapping[str, object]) -> Call:
    what = cast(What, _one_of(arguments, "what", ("both", "send", "apply")))
    return lambda controls, _progress: controls.resume(dataset, what)


def _accept(dataset: str, _arguments: Mapping[str, object]) -> Call:
    return lambda controls, _progress: controls.accept(dataset)


def _resync(dataset: str, _arguments: Mapping[str, object]) -> Call:
    return lambda controls, _progress: controls.resync(dataset)


_ACTIONS: dict[str, Callable[[str, Mapping[str, object]], Call]] = {
    "wait": _wait,
    "verify": _verify,
    "reconcile": _reconcile,
    "pause": _pause,
    "resume": _resume,
    "accept": _accept,
    "resync": _resync,
}


def _flag(arguments: Mapping[str, object], key: str) -> bool:
    value = arguments.get(key, False)
    if not isinstance(value, bool):
        raise _bad(key, "true or false")
    return value


def _one_of(arguments: Mapping[str, object], key: str, choices: tuple[str, ...]) -> str:
    value = arguments.get(key, choices[0])
    if value not in choices:
        raise _bad(key, " or ".join(choices))
    return str(value)


def _seconds(arguments: Mapping[str, object], key: str) -> float | None:
    value = arguments.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_DURATION:
        raise _bad(key, f"a number of seconds, at most {LONGEST_DURATION}, or null")
    return float(value)


def _whole(arguments: Mapping[str, object], key: str, default: int) -> int:
    value = str(arguments.get(key, default))
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise _bad(key, "a whole number")
    return int(value)


def _bad(key: str, wanted: str) -> UsageError:
    return UsageError("understand the request", key, f"it must be {wanted}")


def _unknown(request: Request) -> NotFound:
    return NotFound(
        "answer the request",
        f"{request.method} {request.path}",
        "this agent knows no such request",
        "is the command line newer?",
    )
