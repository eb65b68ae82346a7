"""Operations that are lists of recorded steps: begun, waited for, and answered alike."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agent.core.errors import TryAgain
from agent.operations.declaration import Json
from agent.operations.patience import STANDS
from agent.operations.running import DatasetCall
from agent.status.text import shown

if TYPE_CHECKING:
    from agent.node.stepping.stepped import SteppedRun

_STEP = 0.5
_NOWHERE: frozenset[str] = frozenset()


def typed_by(call: DatasetCall) -> dict[str, Any]:
    """Who types it, what this node is now and where it stands, for the journal of roles."""
    from agent.node.switching.role_keeping import role_now, stood_at

    side = call.member.side
    now = role_now(side)
    return {"uid": call.uid, "by": call.typist, "before": now[0] if now is not None else "", "commit": stood_at(side)}


def kept_words(text: str) -> str:
    """A reason, or who approved, as it is kept and passed on: another node may have said it (law 6)."""
    from agent.roles.journal import WORDS

    return shown(text[:WORDS])[:WORDS]


def done(
    call: DatasetCall,
    kind: str,
    arguments: Mapping[str, Any],  # Any: see ``steps.record.Facts``
    waits_at: frozenset[str] = _NOWHERE,
) -> Json:
    """Begin the list ``kind`` of the dataset and wait for its end; what is answered. Whoever stops waiting does not stop it.
    ``waits_at``: the steps that wait for what is applied, or opened, here: nobody waits with them for what only a person ends.

    ``{"dataset", "epoch", "role", "rto_ms", "lost", "lost_sizes", "generation_before", "steps": [{"name", "ms", "result"}]}``:
    ``lost_sizes``: of ``lost`` in bytes, in its order, none where they are not known. Raises what its
    steps raise, ``TryAgain`` while another list is under way, when the agent stops, or once a person has to do something."""
    from agent.node.switching.role_keeping import TYPED

    run = call.member.stepped.begin(kind, {**arguments, TYPED: typed_by(call)})
    met_since: float | None = None
    while not run.done.wait(_STEP):
        if call.agent.stopping.is_set():
            raise TryAgain(kind, call.dataset, "the agent is stopping", "it goes on when the agent is back")
        met_since = _look(call, run, met_since) if run.doing in waits_at else None
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
        "lost_sizes": record.facts.get("lost_sizes", []),
        "generation_before": record.facts.get("generation_before"),
        "steps": [one.as_json() for one in record.done],
    }


def _look(call: DatasetCall, run: SteppedRun, met_since: float | None) -> float | None:
    """Since when (by the monotonic clock) something is in the way of the step that a person ends; None where nothing is. Raises
    ``TryAgain`` once it has stood for a while."""
    from agent.node.switching.role_keeping import COMMANDS
    from agent.operations.obstacles import of_steps

    met, now = of_steps(call.member.facts()), time.monotonic()
    if met is None:
        return None
    since = now if met_since is None else met_since
    if now - since >= STANDS:
        reason = f"it waits at the step {run.doing}: {met.sentence}"
        remedy = f"{met.remedy or 'hikae status says what leads on'}; it goes on by itself after that"
        raise TryAgain(COMMANDS.get(run.kind, run.kind), call.dataset, reason, remedy)
    return since
