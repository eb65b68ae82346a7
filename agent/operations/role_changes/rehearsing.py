"""A standby is tried: would it serve?"""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.errors import Refused, TryAgain
from agent.operations.declaration import DatasetRequest, Json, dataset_operation
from agent.operations.running import DatasetCall
from agent.status.published import number_json
from agent.status.state import Role

_OPERATION = "rehearse"
_STEP = 0.25


@dataclass(frozen=True, slots=True)
class RehearseRequest(DatasetRequest[Json]):
    """Run the operator's probe on a view of the standby: ``{"dataset", "ok", "commit", "rto_ms", "exit", "output", "reason"}``.

    With ``dry_run`` nothing is done: ``{"dataset", "gates"}``. ``Refused``, with the gates, while one is not met. It goes on when
    nobody waits for it any more, and its result is in the status."""

    dry_run: bool = False


def _does(request: RehearseRequest) -> bool:
    return not request.dry_run


@dataset_operation("rehearse", RehearseRequest, role=Role.STANDBY, long=True, changes=_does)
def _rehearse(call: DatasetCall, request: RehearseRequest) -> Json:
    from agent.roles.rehearsal.gates import rehearsal_gates
    from agent.roles.rehearsal.steps import KIND
    from agent.status.promotion import gate_json, unmet

    gates = rehearsal_gates(call.member.facts(), call.member.dataset.hooks, settled=call.member.standby().is_settled)
    told = tuple(map(gate_json, gates))
    if request.dry_run:
        return {"dataset": call.dataset, "gates": list(told)}
    lacking = unmet(gates)
    if lacking:
        raise Refused(_OPERATION, call.dataset, f"{lacking[0].name}: {lacking[0].value}", lacking[0].remedy, told)
    before = call.member.rehearsals.last
    run = call.member.stepped.begin(KIND, {"dataset": call.dataset})
    while not run.done.wait(_STEP):
        if call.agent.stopping.is_set():
            raise TryAgain(_OPERATION, call.dataset, "the agent is stopping", "type it again when it is back")
        call.progress({"phase": _OPERATION, "waits_for": run.doing})
    found = call.member.rehearsals.last
    if run.error is not None:
        raise run.error
    if found is None or found is before:
        raise TryAgain(_OPERATION, call.dataset, "it did not come to its end", "hikae status says why")
    return {
        "dataset": call.dataset,
        "ok": found.ok,
        "commit": number_json(found.commit),
        "rto_ms": found.rto_ms,
        "exit": found.exit,
        "output": found.output,
        "reason": found.reason,
    }
