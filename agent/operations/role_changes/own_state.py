"""What is never done to a tree or a disk that holds this agent's own state: to be written over as a whole, under the system that
runs from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.errors import Refused
from agent.operations.running import DatasetCall

if TYPE_CHECKING:  # Commands start without what reads configuration.
    from agent.config.values import Dataset

#: What is done instead.
BARE_METAL = "restore it from a live system (docs/bare-metal.md)"


def refuse_own_place(call: DatasetCall, operation: str, remedy: str = BARE_METAL) -> None:
    """Raises ``Refused`` where the dataset of the call is such a tree or disk here."""
    if reason := why_not_written_over(call.member.dataset, str(call.member.home)):
        raise Refused(operation, call.dataset, reason, remedy)


def why_not_written_over(dataset: Dataset, home: str) -> str:
    """Why a dataset cannot be written over while the agent with its state in ``home`` runs, for people; "" where it can."""
    if dataset.is_device:
        from agent.capture.device.mounted import stands_on

        holds, what = stands_on(home, dataset.path), "has a filesystem with"
    else:
        from agent.config.own_places import holds_state

        holds, what = holds_state(dataset.path, home), "holds"
    why = "it would be written over while the system runs from it"
    return f"{dataset.path} {what} this agent's own state: {why}" if holds else ""
