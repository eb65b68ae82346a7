"""A standby becomes the primary, and what each node says of itself when another asks for that."""

from __future__ import annotations

import time
from dataclasses import dataclass

from agent.core.errors import Refused
from agent.core.ids import NOTHING, CommitNumber
from agent.operations.declaration import DatasetRequest, FromAfar, Json, dataset_operation, no_call
from agent.operations.role_changes.required_words import require_words
from agent.operations.role_changes.stepping import done
from agent.operations.running import DatasetCall
from agent.status.derive import own_state
from agent.status.published import number_json
from agent.status.state import Role
from agent.status.text import shown

_OPERATION = "promote"
#: The steps that wait for what is applied here.
_WAITS_AT = frozenset({"moment", "serve"})
#: So many paths that would be lost are told, and kept with the change of role.
_NAMED = 1_000


@dataclass(frozen=True, slots=True)
class PromoteRequest(DatasetRequest[Json]):
    """Make this node, which keeps the standby, the primary; with ``generation`` or ``at`` of that moment, which then is its first
    commit: also where the newest one is not whole, or is held.

    ``{"dataset", "epoch", "role", "rto_ms", "lost", "generation_before", "steps": [{"name", "ms", "result"}]}``; with
    ``dry_run`` nothing is done: ``{"dataset", "moment", "commit", "announced", "gates", "loss", "rto_ms", "rto_hooks_ms"}``.
    ``Refused``, with the gates, while one is not met, unless ``force``; ``UsageError`` where words are required that were not
    said. It goes on when nobody waits for it any more, as when a person has to do something first."""

    force: bool = False
    reason: str = ""
    approved_by: str = ""
    at: str = ""
    generation: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class WhereaboutsRequest(DatasetRequest[Json]):
    """What this node is to the dataset: ``{"role", "epoch", "commit", "hears", "state"}``; ``hears``: whether it keeps a standby
    that a primary is connected with now; ``state``: that of this node's side alone."""


@dataset_operation("whereabouts", WhereaboutsRequest, role=None, long=True, changes=no_call, afar=FromAfar())
def _whereabouts(call: DatasetCall, _request: WhereaboutsRequest) -> Json:
    facts = call.member.facts()
    hears = facts.role is Role.STANDBY and any(peer.connected for peer in facts.peers)
    commit = number_json(facts.commit.number) if facts.commit is not None else None
    state = own_state(facts).value
    return {"role": facts.role.value, "epoch": facts.epoch, "commit": commit, "hears": hears, "state": state}


def _does(request: PromoteRequest) -> bool:
    return not request.dry_run


@dataset_operation("promote", PromoteRequest, role=Role.STANDBY, long=True, changes=_does)
def _promote(call: DatasetCall, request: PromoteRequest) -> Json:
    from agent.roles.promotion.steps import KIND, WantedPromotion, refused_by
    from agent.status.promotion import promotion_json

    moment, words = _moment(call, request)
    facts = call.member.promotion_now(call.agent.stopping)
    if request.dry_run:
        served = moment or facts.commit
        announced = [{"path": shown(path), "bytes": size} for path, size in facts.loss.paths[:_NAMED]]
        plan = {"dataset": call.dataset, "moment": words, "commit": number_json(served), "announced": announced}
        return {**plan, **(promotion_json(facts) or {})}
    refused = refused_by(call.dataset, facts.gates, force=request.force, named=bool(moment))
    if refused is not None:
        raise refused
    require_words(call, f"promote {call.dataset}", request, lost=facts.gives_up or bool(moment))
    lost = tuple(shown(path) for path, _ in facts.loss.paths[:_NAMED])
    sizes = tuple(size for _, size in facts.loss.paths[:_NAMED])
    by = (request.reason, request.approved_by, call.typist)
    wanted = WantedPromotion(call.dataset, *by, request.force, lost, moment, words, sizes)
    return done(call, KIND, wanted.as_facts(), waits_at=_WAITS_AT)


def _moment(call: DatasetCall, request: PromoteRequest) -> tuple[CommitNumber, str]:
    """The commit that is to be served, and which it is in words; ``NOTHING`` for the newest. Raises ``NotFound``, ``Refused``,
    ``UsageError``."""
    from agent.generations.moments import Watching, moment_of

    if not request.at and not request.generation:
        return NOTHING, "the newest commit"
    with call.member.standby().reader() as reader:
        moment = moment_of(reader, call.dataset, request.generation, request.at, Watching(time.time_ns()))
    if not moment.consistent:
        reason = f"{moment.sentence()}, so it may not be served"
        raise Refused(_OPERATION, call.dataset, reason, f"name another: hikae generations list {call.dataset}")
    newest = call.member.standby().newest()
    return moment.number if newest is None or moment.number != newest.number else NOTHING, moment.sentence()
