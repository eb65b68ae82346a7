"""A tree that holds this agent's own state, as ``/`` does: what is left out of it by rule, and what is never done to it.

Such a tree may be replicated from the node that begins as its primary. It is never written to as a whole while the agent runs
from it: so no node's standby may lie there, and who is its primary is never made its standby.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from agent.config.nesting import apart, below
from agent.config.values import Dataset, Settings

#: Of the kernel's making, or gone at each start; below ``/`` only.
_OF_A_RUNNING_SYSTEM = ("proc", "sys", "dev", "run")


def holds_state(path: str, state_dir: str) -> bool:
    """Whether the agent's own directory lies in a tree, wherever links lead."""
    return below(os.path.realpath(state_dir), os.path.realpath(path)) is not None


def left_out_by_rule(dataset: Dataset, settings: Settings) -> dict[bytes, str]:
    """The directories of a tree that are not its own, relative to it: each with what it is, for people."""
    around = os.path.realpath(dataset.path)
    places = dict.fromkeys(apart(dataset, settings.datasets), "a dataset of its own")
    for path in _own(settings):
        if (relative := below(os.path.realpath(path), around)) is not None:
            places[os.fsencode(relative)] = "hikae's own state"
    if around == "/":
        places.update(dict.fromkeys(map(os.fsencode, _OF_A_RUNNING_SYSTEM), "the running system's own"))
    return places


def _own(settings: Settings) -> Iterator[str]:
    yield settings.node.state_dir
    for dataset in settings.datasets:
        yield str(settings.vault(dataset))
