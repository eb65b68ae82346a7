"""What is never done to a tree or a disk that holds this agent's own state: to be written over as a whole, under the system that
runs from it."""

from __future__ import annotations

from agent.core.errors import Refused
from agent.operations.running import DatasetCall

#: What is done instead.
BARE_METAL = "restore it from a live system (docs/bare-metal.md)"


def refuse_own_place(call: DatasetCall, operation: str, remedy: str = BARE_METAL) -> None:
    """Raises ``Refused`` where the dataset of the call is such a tree or disk here."""
    from agent.node.own_place import why_not_written_over  # commands start without the node

    if reason := why_not_written_over(call.member.dataset, str(call.member.home)):
        raise Refused(operation, call.dataset, reason, remedy)
