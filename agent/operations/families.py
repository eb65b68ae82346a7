"""All operations, by their names and by their requests. A new family has one line here; a new operation of a family none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from agent.operations import configuring, holding, pausing, reading, verifying, waiting
from agent.operations.declaration import Operation, Request

FAMILIES = (reading, waiting, verifying, pausing, holding, configuring)


def _declared() -> Iterator[Operation]:
    for family in FAMILIES:
        yield from (one for one in vars(family).values() if isinstance(one, Operation))


OPERATIONS: Mapping[str, Operation] = MappingProxyType({one.name: one for one in _declared()})
_BY_REQUEST: Mapping[type[Request[Any]], Operation] = {one.request: one for one in OPERATIONS.values()}


def operation_of(request: Request[Any]) -> Operation:
    """The operation that a request asks for."""
    return _BY_REQUEST[type(request)]
