"""What is never done to a tree that holds this agent's own state: to be written over as a whole, under the system that runs from
it."""

from __future__ import annotations

from agent.core.errors import Refused
from agent.operations.running import DatasetCall

#: What is done instead.
BARE_METAL = "restore it to a mounted disk (docs/bare-metal.md)"


def refuse_own_tree(call: DatasetCall, operation: str, remedy: str = BARE_METAL) -> None:
    """Raises ``Refused`` where the dataset of the call is such a tree here."""
    from agent.config.own_places import holds_state  # commands start without what reads configuration

    dataset = call.member.dataset
    if not dataset.is_device and holds_state(dataset.path, str(call.member.home)):
        reason = f"{dataset.path} holds this agent's own state: it would be written over while the system runs from it"
        raise Refused(operation, call.dataset, reason, remedy)
