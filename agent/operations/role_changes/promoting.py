"""A standby becomes the primary, and what each node says of itself when another asks for that."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.errors import UsageError
from agent.operations.declaration import DatasetRequest, FromAfar, Json, dataset_operation, no_call
from agent.operations.role_changes.stepping import done
from agent.operations.running import DatasetCall
from agent.status.published import number_json
from agent.status.state import Role

_OPERATION = "promote"


@dataclass(frozen=True, slots=True)
class PromoteRequest(DatasetRequest[Json]):
    """Make this node, which keeps the standby, the primary.

    ``{"dataset", "epoch", "role", "rto_ms", "lost", "generation_before", "steps": [{"name", "ms", "result"}]}``; with
    ``dry_run`` nothing is done: ``{"dataset", "commit", "gates", "loss", "rto_ms"}``. ``Refused``, with the gates, while one is
    not met, unless ``force``. It goes on when nobody waits for it any more."""

    force: bool = False
    reason: str = ""
    approved_by: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class WhereaboutsRequest(DatasetRequest[Json]):
    """What this node is to the dataset: ``{"role", "epoch", "commit", "hears"}``; ``hears``: whether it keeps a standby that a
    primary is connected with now."""


@dataset_operation("whereabouts", WhereaboutsRequest, role=None, long=True, changes=no_call, afar=FromAfar())
def _whereabouts(call: DatasetCall, _request: WhereaboutsRequest) -> Json:
    facts = call.member.facts()
    hears = facts.role is Role.STANDBY and any(peer.connected for peer in facts.peers)
    commit = number_json(facts.commit.number) if facts.commit is not None else None
    return {"role": facts.role.value, "epoch": facts.epoch, "commit": commit, "hears": hears}


def _does(request: PromoteRequest) -> bool:
    return not request.dry_run


@dataset_operation("promote", PromoteRequest, role=Role.STANDBY, long=True, changes=_does)
def _promote(call: DatasetCall, request: PromoteRequest) -> Json:
    from agent.roles.promotion.steps import KIND, WantedPromotion, refused_by
    from agent.status.promotion import promotion_json

    facts = call.member.promotion_now(call.agent.stopping)
    told = promotion_json(facts)
    if request.dry_run:
        newest = call.member.standby().newest()
        return {"dataset": call.dataset, "commit": number_json(newest.number) if newest else None, **(told or {})}
    refused = refused_by(call.dataset, facts.gates, force=request.force)
    if refused is not None:
        raise refused
    _require_words(call, request, lost=facts.loss.any)
    wanted = WantedPromotion(call.dataset, request.reason, request.approved_by, call.typist, request.force)
    return done(call, KIND, wanted.as_facts())


def _require_words(call: DatasetCall, request: PromoteRequest, *, lost: bool) -> None:
    """What the configuration wants to be told when something would be lost. Raises ``UsageError``."""
    if not lost:
        return
    given = {"reason": request.reason, "approved-by": request.approved_by}
    lacking = [name for name in call.member.dataset.promote.require if not given[name].strip()]
    if lacking:
        options = " ".join(f"--{name} TEXT" for name in lacking)
        reason = f"something may be lost, and [dataset.promote] require asks for {' and '.join(lacking)}"
        raise UsageError(_OPERATION, call.dataset, reason, f"hikae promote {call.dataset} {options}")
