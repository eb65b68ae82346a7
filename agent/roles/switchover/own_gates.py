"""What is judged on the old primary itself before it asks another to take over: whether its own programs are there."""

from __future__ import annotations

from typing import Any

from agent.config.values import Hooks
from agent.status.promotion import Gate, gate_json
from agent.steps.programs import MISSING_REMEDY, missing_programs, missing_sentence

#: What it runs in a switchover: the first too late to find it missing without a stop in vain, the others with nobody serving.
_RUN_HERE = ("before_demote", "stop", "start", "after_demote")


def own_gate(node: str, hooks: Hooks, now: int) -> dict[str, Any]:  # Any: see ``gate_json``
    """The gate ``primary-hooks`` of ``node``, looked at now (UTC ns)."""
    missing = missing_programs(hooks, _RUN_HERE, needed=True)
    said = missing_sentence(missing) or "each that is named is there"
    remedy = f"on {node}: {MISSING_REMEDY}" if missing else ""
    return gate_json(Gate("primary-hooks", not missing, f"on {node}: {said}", "programs that are there", now, remedy))
