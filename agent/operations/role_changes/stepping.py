"""Operations that are lists of recorded steps: begun, waited for, and answered alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.core.errors import TryAgain
from agent.operations.declaration import Json
from agent.operations.running import DatasetCall

_STEP = 0.5


def typed_by(call: DatasetCall) -> dict[str, Any]:
    """Who types it and what this node is now, for the journal of roles."""
    from agent.node.switching.role_keeping import role_now

    now = role_now(call.member.side)
    return {"uid": call.uid, "by": call.typist, "before": now[0] if now is not None else ""}


def done(call: DatasetCall, kind: str, arguments: Mapping[str, Any]) -> Json:  # Any: see ``steps.record.Facts``
    """Begin the list ``kind`` of the dataset and wait for its end; what is answered. Whoever stops waiting does not stop it.

    ``{"dataset", "epoch", "role", "rto_ms", "lost", "generation_before", "steps": [{"name", "ms", "result"}]}``. Raises what its
    steps raise, ``TryAgain`` while another list is under way, or when the agent stops."""
    from agent.node.switching.role_keeping import TYPED

    run = call.member.stepped.begin(kind, {**arguments, TYPED: typed_by(call)})
    while not run.done.wait(_STEP):
        if call.agent.stopping.is_set():
            raise TryAgain(kind, call.dataset, "the agent is stopping", "it goes on when the agent is back")
        call.progress({"phase": kind, "waits_for": run.waits_for or run.doing})
    if run.error is not None:
        raise run.error
    record = run.record
    if record is None:
        raise TryAgain(kind, call.dataset, "it did not come to its end", "hikae status shows how far it is")
    return {
        "dataset": call.dataset,
        "epoch": call.member.facts().epoch,
        "role": call.member.role.value,
        "rto_ms": sum(one.ms for one in record.done),
        "lost": record.facts.get("lost", []),
        "generation_before": record.facts.get("generation_before"),
        "steps": [one.as_json() for one in record.done],
    }
