"""Whether this node serves as the primary, by an operator's word: it stops, or goes on although others are silent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.errors import Refused, UsageError
from agent.operations.declaration import DatasetRequest, Json, dataset_operation
from agent.operations.role_changes.required_words import require_words
from agent.operations.running import DatasetCall
from agent.status.state import Role

if TYPE_CHECKING:
    from agent.node.primary import Primary

_SERVE, _FENCE = "serve", "fence"


@dataclass(frozen=True, slots=True)
class ServeRequest(DatasetRequest[Json]):
    """This node serves as the primary from now on, whoever is silent: ``{"dataset", "epoch", "role", "was", "silent"}``, with
    ``dry_run`` without doing it. ``was``: ``serving``, ``unconfirmed``, ``fenced``; ``silent``: those that have not confirmed it.
    After a fencing by another node a higher epoch begins from what stands here. ``Refused`` while a node answers that reigns
    itself, unless ``force``; ``UsageError`` after such a fencing where words are required that were not said."""

    alone: bool = False
    force: bool = False
    reason: str = ""
    approved_by: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class FenceRequest(DatasetRequest[Json]):
    """This primary stops serving and sending, durably, and its ``on_fenced`` hook runs: ``{"dataset", "epoch", "role", "was"}``.
    What leads back is ``serve`` with ``alone``, or ``rejoin``. ``Refused`` on a node that is not the primary."""

    reason: str = ""
    approved_by: str = ""
    dry_run: bool = False


def _does(request: ServeRequest | FenceRequest) -> bool:
    return not request.dry_run


@dataset_operation("serve", ServeRequest, role=None, long=True, changes=_does)
def _serve(call: DatasetCall, request: ServeRequest) -> Json:
    if not request.alone:
        reason = "that it serves without its peers has to be said"
        raise UsageError(_SERVE, call.dataset, reason, f"hikae serve {call.dataset} --alone")
    side = _primary(call, _SERVE)
    was, silent, mark = _was(side), list(side.unconfirmed_by()), side.reign.mark
    if mark is not None and not mark.fenced:
        problem = mark.problem(call.dataset, call.member.home)
        raise Refused(_SERVE, call.dataset, mark.sentence, problem.remedy)
    if was != "serving" and not request.force:
        _refuse_while_another_serves(call, side)
    if request.dry_run:
        return _answer(call, was, silent)
    require_words(call, f"serve {call.dataset} --alone", request, lost=mark is not None and not mark.by_hand)
    own = side.reign.epoch.number
    if mark is not None and not mark.by_hand:
        side.accept_mark(mark)
        own = max(mark.highest, own) + 1
    else:
        side.serve_alone()
    _keep(call, request, _SERVE, (was, Role.PRIMARY.value, own))
    call.member.serving.start_again()
    return _answer(call, was, silent)


@dataset_operation("fence", FenceRequest, role=None, long=True, changes=_does)
def _fence(call: DatasetCall, request: FenceRequest) -> Json:
    side = _primary(call, _FENCE)
    was = _was(side)
    if not request.dry_run:
        if side.reign.mark is None:
            side.fence()
            _keep(call, request, _FENCE, (was, Role.FENCED.value, side.reign.epoch.number))
        call.member.serving.stop_again()
    return _answer(call, was, [])


def _keep(call: DatasetCall, request: ServeRequest | FenceRequest, kind: str, change: tuple[str, str, int]) -> None:
    """For ``hikae roles``. ``change``: what it was, what it is, in which epoch."""
    from agent.roles.journal import RoleChange

    newest = call.member.facts().commit
    commit = newest.number if newest is not None else 0
    made = RoleChange(time.time_ns(), kind, *change, commit, call.uid, call.typist, request.reason, request.approved_by)
    call.member.roles.add(made)


def _primary(call: DatasetCall, operation: str) -> Primary:
    member = call.member
    if member.role is Role.STANDBY:
        primary = member.assigned.primary
        reason = f"{call.dataset} is standby here, and a standby serves nothing"
        there = f"on {primary}, its primary: hikae {operation} {call.dataset}"
        here = f"to make this node the primary, where {primary} is dead: hikae promote {call.dataset}"
        raise Refused(operation, call.dataset, reason, there if operation == "fence" else here)
    busy = member.stepped.running
    if busy is not None and not _waits_for_word(member.primary()):
        reason = f"{busy.kind} is under way, at the step {busy.doing}"
        raise Refused(operation, call.dataset, reason, "type it again when that has ended")
    return member.primary()


def _waits_for_word(side: Primary) -> bool:
    """Whether what is under way may wait for an operator's word that this node serves, or must not."""
    return side.reign.mark is None and bool(side.unconfirmed_by())


def _was(side: Primary) -> str:
    if side.reign.mark is not None:
        return "fenced" if side.reign.mark.fenced else "rewound"
    return "unconfirmed" if side.unconfirmed_by() else "serving"


def _refuse_while_another_serves(call: DatasetCall, side: Primary) -> None:
    """Others are asked: whoever reigns itself, or follows who does, is not passed over."""
    own = side.reign.epoch.number
    for one in call.member.others(call.agent.stopping):
        reigns = one.role == Role.PRIMARY and one.epoch >= own
        if reigns or (one.epoch > own and one.role == Role.STANDBY):
            does = "is the primary" if reigns else "follows a primary"
            reason = f"{one.node} answers: it {does} of {call.dataset}, in epoch {one.epoch}, and this node's was {own}"
            remedy = (
                f"hikae rejoin {call.dataset} makes this node a standby; add --force if that one is to stop instead"
            )
            raise Refused(_SERVE, call.dataset, reason, remedy)


def _answer(call: DatasetCall, was: str, silent: list[str]) -> Json:
    facts = call.member.facts()
    return {"dataset": call.dataset, "epoch": facts.epoch, "role": facts.role.value, "was": was, "silent": silent}
