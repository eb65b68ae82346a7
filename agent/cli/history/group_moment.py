"""Which generations are meant by a moment of a group: read from this node's own catalogs, or asked of the agents."""

from __future__ import annotations

import time
from collections.abc import Sequence

from agent.cli.context import Context
from agent.cli.history.restore_sources import require_vault
from agent.config.values import Dataset, Settings
from agent.core.clock import SystemClock
from agent.core.errors import NotFound
from agent.core.ids import NOTHING
from agent.generations.moments import Watching
from agent.node.grouped.members import datasets_of
from agent.node.grouped.named import MomentOfGroup, moment_of_group
from agent.operations.declaration import Json
from agent.operations.generations import GenerationsListRequest
from agent.status.figures import stamp_ns
from agent.store.catalog.generation import Cause, Generation
from agent.store.catalog.reader import CatalogReader


def moment_here(settings: Settings, group: str, generation: str, at: str) -> MomentOfGroup:
    """The moment by what this node keeps, whether its agent runs or not. Raises as ``moment_of_group`` and ``require_vault``;
    ``NotFound`` for a group without any dataset."""
    datasets = datasets_of(settings, group)
    if not datasets:
        known = ", ".join(sorted({one.group for one in settings.datasets if one.group})) or "none"
        raise NotFound("find the group", group, f"this node knows: {known}", "see hikae config show")
    kept = {one.name: _kept_here(settings, one) for one in datasets}
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


def _kept_here(settings: Settings, dataset: Dataset) -> list[Generation]:
    require_vault(settings, dataset)
    with CatalogReader.open(str(settings.home(dataset.name) / "catalog.db")) as reader:
        return reader.generations()


def _of_row(row: Json) -> Generation:
    """What of a listed generation tells which moment it is of."""
    taken = stamp_ns(row["time"])
    return Generation(
        row["generation"], NOTHING, taken, taken, Cause.DEMAND, row["label"], together=row.get("together", "")
    )
