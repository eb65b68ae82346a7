"""Generations of a dataset that is no longer configured that were promised to stay: pinned ones, and those younger than the
``immutable_for`` under which they were taken."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.core.clock import Clock, boot_id
from agent.core.errors import HikaeError
from agent.node.following.generations.generation_keeper import RetentionTicks, retention_time
from agent.roles.lineage import CATALOG
from agent.store.catalog.generation import Generation
from agent.store.catalog.reader import CatalogReader


@dataclass(frozen=True, slots=True)
class Promised:
    """One generation; ``until``: UTC ns by this node's clock, 0 for a pinned one, which stays until it is unpinned."""

    generation: Generation
    until: int


def promised_of(home: Path, clock: Clock) -> tuple[Promised, ...]:
    """Those of the catalog in ``home``, the oldest first; none where no catalog can be read."""
    found: list[Promised] = []
    with suppress(HikaeError), CatalogReader.open(str(home / CATALOG)) as reader:
        retained = retention_time(reader, RetentionTicks(clock, boot_id()).now()).now
        for one in reader.generations():
            if one.pinned:
                found.append(Promised(one, 0))
            elif one.immutable_until > retained:
                found.append(Promised(one, clock.now_ns() + one.immutable_until - retained))
    return tuple(found)
