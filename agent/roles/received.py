"""What of a catalog's history has its content in the vault beside it, on a node that is the primary now: what it received.

Its vault holds all that it received while it was a standby. What it captured since it became the primary is kept by its standbys.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.core.errors import NotFound
from agent.core.ids import NOTHING, CommitNumber, Epoch, commit_number
from agent.generations.moments import Moment


def received_until(lineage: Sequence[Epoch], node: str) -> CommitNumber:
    """No commit after this one was received by ``node``, which reigns: those of its own epochs at the end of the lineage were
    captured. Pure."""
    first = None
    for epoch in reversed(lineage):
        if epoch.owner != node:
            break
        first = epoch
    return CommitNumber(commit_number(first.number, 0) - 1) if first is not None and first.number else NOTHING


def require_received(moment: Moment, until: CommitNumber, node: str, standbys: Sequence[str]) -> None:
    """The content of the moment is in the vault of ``node``, which reigns. Raises ``NotFound`` where it is not."""
    if moment.number <= until:
        return
    where = " or ".join(f"--from {one}" for one in standbys)
    reason = f"{node} is the primary since before that, and its vault has what it received as a standby"
    remedy = f"what was written since is kept by standbys that follow: {where}" if where else "no standby keeps it"
    raise NotFound("find the moment", moment.sentence(), reason, remedy)
