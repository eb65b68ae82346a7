"""What a node has been to a dataset, and who made it so."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.errors import StoreFailed
from agent.operations.declaration import DatasetRequest, Json, dataset_operation, no_call
from agent.operations.running import DatasetCall


@dataclass(frozen=True, slots=True)
class RolesRequest(DatasetRequest[list[Json]]):
    """All changes of role on this node, oldest first: ``[{"time", "kind", "from", "to", "epoch", "commit", "uid", "by", "reason",
    "approved_by", "lost", "lost_sizes", "steps", "failed"}]``; ``from`` and ``to`` are this node's roles; ``commit`` is the one
    from which it began; where ``by`` is ``NODE says: …``, it was typed there, and that node says so."""

    ANSWER = list


@dataset_operation("roles", RolesRequest, role=None, long=False, changes=no_call)
def _roles(call: DatasetCall, _request: RolesRequest) -> list[Json]:
    try:
        return [one.as_json() for one in call.member.roles.changes()]
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreFailed("read the changes of role", call.dataset, reason, "look at the state directory") from error
