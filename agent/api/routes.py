"""Which address means which operation, derived from the declarations. Pure: no socket is known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from agent.api.addresses import PREFIX, is_read
from agent.core.errors import NotFound, UsageError
from agent.operations.arguments import DATASET, read_request
from agent.operations.declaration import Operation, Request
from agent.operations.families import OPERATIONS

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class HttpRequest:
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


def asked_for(http: HttpRequest) -> tuple[Operation, Request[Any]]:
    """The operation that is asked for, and with what. Raises ``NotFound`` for no such address, ``UsageError``."""
    parts = http.path.split("/")
    dataset = unquote(parts[3]) if len(parts) == 5 and parts[2] == "datasets" else None
    operation = OPERATIONS.get(parts[-1])
    if operation is None or http.method != ("GET" if is_read(operation) else "POST"):
        raise _unknown(http)
    shape = 3 if dataset is None else 5
    if operation.on_dataset != (dataset is not None) or len(parts) != shape or parts[:2] != ["", PREFIX[1:]]:
        raise _unknown(http)
    named = {} if dataset is None else {DATASET: dataset}
    return operation, read_request(operation.request, {**http.arguments, **named})


def _unknown(http: HttpRequest) -> NotFound:
    return NotFound(
        "answer the request",
        f"{http.method} {http.path}",
        "this agent knows no such request",
        "is the command line newer?",
    )
