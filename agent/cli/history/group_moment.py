"""Which generations are meant by a moment of a group: read from this node's own catalogs, or asked of the agents."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from agent.cli.context import Context
from agent.config.values import Settings
from agent.core.clock import SystemClock
from agent.core.errors import NotFound, NotPermitted
from agent.core.ids import NOTHING
from agent.generations.moments import Watching
from agent.node.grouped.named import MomentOfGroup, moment_of_group
from agent.operations.declaration import Json
from agent.operations.generations import GenerationsListRequest
from agent.status.figures import stamp_ns
from agent.store.catalog.generation import Cause, Generation
from agent.store.catalog.reader import CatalogReader


def moment_here(settings: Settings, group: str, generation: str, at: str) -> MomentOfGroup:
    """The moment by what this node keeps, whether its agent runs or not. Raises as ``moment_of_group``; ``NotFound`` for a group
    without any dataset."""
    names = [one.name for one in settings.datasets if group and one.group == group]
    if not names:
        known = ", ".join(sorted({one.group for one in settings.datasets if one.group})) or "none"
        raise NotFound("find the group", group, f"this node knows: {known}", "see hikae config show")
    kept = {name: _kept_here(settings, name) for name in names}
    return moment_of_group(group, kept, generation, at, Watching(SystemClock().now_ns()))


def moment_asked(
    context: Context, group: str, names: Sequence[str], generation: str, at: str, node: str = ""
) -> MomentOfGroup:
    """The moment by what the agents keep: of ``node`` alone where one is named. Raises as ``moment_of_group``."""
    kept = {}
    for name in names:
        rows = context.controls().ask(GenerationsListRequest(name))
        kept[name] = [_of_row(one) for one in rows if node in ("", one["node"])]
    return moment_of_group(group, kept, generation, at, Watching(time.time_ns()))


def _kept_here(settings: Settings, name: str) -> list[Generation]:
    catalog = settings.home(name) / "catalog.db"
    if os.geteuid() and not os.access(settings.node.state_dir, os.R_OK | os.X_OK):
        raise NotPermitted(
            "find the moment of the group", name, f"{settings.node.state_dir} may not be read", "use sudo"
        )
    if not catalog.exists():
        return []
    with CatalogReader.open(str(catalog)) as reader:
        return reader.generations()


def _of_row(row: Json) -> Generation:
    """What of a listed generation tells which moment it is of."""
    taken = stamp_ns(row["time"])
    return Generation(
        row["generation"], NOTHING, taken, taken, Cause.DEMAND, row["label"], together=row.get("together", "")
    )
