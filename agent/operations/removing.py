"""The end of what is kept of a dataset that is no longer configured."""

from __future__ import annotations

from dataclasses import dataclass

from agent.operations.declaration import Json, Request, node_operation
from agent.operations.running import NodeCall


@dataclass(frozen=True, slots=True)
class RemoveRequest(Request[Json]):
    """Delete catalog, local facts and vault of the dataset ``name``; its trees are left alone: ``{"dataset", "removed",
    "bytes", "parts": [{"what", "paths", "bytes"}], "left": paths that are none of it, "promised": [{"generation", "label",
    "pinned", "until"}]}``. With ``dry_run`` nothing is deleted. ``Refused`` while it is configured, and without ``force`` where
    generations were promised to stay; ``NotFound`` where nothing is kept."""

    name: str
    dry_run: bool = False
    force: bool = False


def _deletes(request: RemoveRequest) -> bool:
    return not request.dry_run


@node_operation("dataset-remove", RemoveRequest, long=True, changes=_deletes)
def _remove(call: NodeCall, request: RemoveRequest) -> Json:
    return call.agent.remove(request.name, request.dry_run, request.force)
