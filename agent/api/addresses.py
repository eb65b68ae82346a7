"""Where an operation is asked for. ``GET /v1/status`` and ``/v1/events`` are read; all else is posted, what is about a dataset to
``/v1/datasets/NAME/OPERATION``. Knows the operations that are imported, so that a command starts without the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from agent.operations.arguments import written
from agent.operations.declaration import DatasetRequest, Json, Operation, Request, operation_of

PREFIX = "/v1"


@dataclass(frozen=True, slots=True)
class Address:
    """How an operation is asked for: ``body`` is None for what is read."""

    method: str
    target: str
    body: Json | None


def address_of(request: Request[Any]) -> Address:
    """Where a request goes."""
    operation, said = operation_of(request), written(request)
    if is_read(operation):
        return Address("GET", f"{PREFIX}/{operation.name}" + (f"?{urlencode(said)}" if said else ""), None)
    if isinstance(request, DatasetRequest):
        return Address("POST", f"{PREFIX}/datasets/{quote(request.dataset, safe='')}/{operation.name}", said)
    return Address("POST", f"{PREFIX}/{operation.name}", said)


def is_read(operation: Operation) -> bool:
    """Whether it is asked for by GET: it is about the node, and changes nothing."""
    return not (operation.on_dataset or operation.can_change)
