"""Does a tree or a disk hold the state of the agent that replicates it? Such a one is not written over while the agent runs."""

from __future__ import annotations

from agent.capture.device.mounted import stands_on
from agent.config.own_places import holds_state
from agent.config.values import Dataset


def why_not_written_over(dataset: Dataset, home: str) -> str:
    """Why a dataset cannot be written over while the agent with its state in ``home`` runs, for people; "" where it can."""
    if dataset.is_device:
        holds, what = stands_on(home, dataset.path), "has a filesystem with"
    else:
        holds, what = holds_state(dataset.path, home), "holds"
    why = "it would be written over while the system runs from it"
    return f"{dataset.path} {what} this agent's own state: {why}" if holds else ""
