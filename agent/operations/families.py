"""All operations, by their names. A new family has one line here; a new operation of a family none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from agent.operations import (
    comparing,
    configuring,
    generations,
    holding,
    marking,
    pausing,
    reading,
    rebuilding,
    removing,
    verifying,
    waiting,
)
from agent.operations.declaration import Operation
from agent.operations.elsewhere import keeping, offline
from agent.operations.grouped import taking
from agent.operations.role_changes import promoting, rehearsing, rejoining, rolling_back, serving, switching, telling
from agent.operations.upkeep import checking, collecting

FAMILIES = (
    reading,
    waiting,
    verifying,
    pausing,
    holding,
    rebuilding,
    configuring,
    removing,
    marking,
    generations,
    taking,
    offline,
    keeping,
    checking,
    collecting,
    comparing,
    rolling_back,
    rejoining,
    promoting,
    switching,
    serving,
    telling,
    rehearsing,
)


def _declared() -> Iterator[Operation]:
    for family in FAMILIES:
        yield from (one for one in vars(family).values() if isinstance(one, Operation))


OPERATIONS: Mapping[str, Operation] = MappingProxyType({one.name: one for one in _declared()})
