"""A node that another one has superseded becomes that one's standby."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from agent.core.errors import Refused, TryAgain
from agent.operations.declaration import DatasetRequest, Json, dataset_operation
from agent.operations.role_changes.own_state import BARE_METAL, refuse_own_place
from agent.operations.role_changes.required_words import require_words
from agent.operations.role_changes.stepping import done
from agent.operations.running import DatasetCall
from agent.status.promotion import gate_json, unmet
from agent.status.state import Role

if TYPE_CHECKING:
    from agent.roles.rejoin.steps import WantedRejoin
    from agent.status.promotion import Gate
    from agent.stream.messages import Hello

_STEP = 0.5
_OPERATION = "rejoin"
#: Seconds within which the new primary is to have called: it does every few seconds.
_HEARD = 20.0


@dataclass(frozen=True, slots=True)
class RejoinRequest(DatasetRequest[Json]):
    """Make this node, which was the primary, or received what the new primary did not, a standby of the new primary.

    ``{"dataset", "epoch", "role", "rto_ms", "lost", "generation_before", "steps": [{"name", "ms", "result"}]}``: ``lost`` are the
    paths that this node alone had, which ``generation_before`` keeps. With ``dry_run`` nothing is done: ``{"dataset", "primary",
    "epoch", "gates"}``. ``Refused`` while a gate is not met, or no node has proven that it reigns later. It goes on when nobody
    waits for it any more. ``force``: although a process may be writing into the tree, or there is little room, which raises
    ``UsageError`` where words are required that were not said."""

    force: bool = False
    dry_run: bool = False
    reason: str = ""
    approved_by: str = ""


def _does(request: RejoinRequest) -> bool:
    return not request.dry_run


@dataset_operation("rejoin", RejoinRequest, role=None, long=True, changes=_does)
def _rejoin(call: DatasetCall, request: RejoinRequest) -> Json:
    refuse_own_place(
        call, _OPERATION, f"{BARE_METAL}, or let this node go on: hikae serve {call.dataset} --alone --force"
    )
    if not request.dry_run:
        # What is here alone is kept, unless it is written meanwhile, or has no room.
        require_words(call, f"rejoin {call.dataset} --force", request, lost=request.force)
    wanted = _wanted(call, request)
    if not request.dry_run:
        _let_stop(call)
    gates = _gates(call)
    if request.dry_run:
        epoch = wanted.epoch
        told = [gate_json(gate) for gate in gates]
        return {"dataset": call.dataset, "primary": epoch.owner, "epoch": epoch.number, "gates": told}
    failed = unmet(gates)
    if failed and not request.force:
        reason = "; ".join(f"{gate.name}: {gate.value}" for gate in failed)
        raise Refused(_OPERATION, call.dataset, reason, failed[0].remedy, tuple(map(gate_json, gates)))
    return done(call, _OPERATION, wanted.as_facts())


def _look(call: DatasetCall) -> None:
    """Raises ``TryAgain`` once the agent is to end."""
    if call.agent.stopping.is_set():
        raise TryAgain(_OPERATION, call.dataset, "the agent is stopping", "type it again when it is back")


def _let_stop(call: DatasetCall) -> None:
    """What ``on_fenced`` is about to end is nobody who writes."""
    from agent.node.primary import Primary

    while isinstance(side := call.member.opened(), Primary) and not call.member.serving.has_stopped(side.reign.mark):
        call.progress({"phase": _OPERATION, "waits_for": "the on_fenced hook"})
        if call.agent.stopping.wait(_STEP):
            raise TryAgain(_OPERATION, call.dataset, "the agent is stopping", "type it again when it is back")


def _wanted(call: DatasetCall, request: RejoinRequest) -> WantedRejoin:
    """Whom to follow, and from where on."""
    from agent.roles.rejoin.steps import WantedRejoin
    from agent.stream.locator import is_known, newest_common

    hello = _superseding(call)
    with call.member.opened().reader() as reader:
        known = next(reversed(reader.lineage), None)
        common = newest_common(hello.locator, lambda mark: is_known(reader, mark))
    if known is not None and hello.epoch.number <= known.number and hello.epoch != known:
        raise _both_promoted(call, hello.node, hello.epoch.number)
    return WantedRejoin(call.dataset, hello.epoch, common, request.force, request.reason, request.approved_by)


def _superseding(call: DatasetCall) -> Hello:
    """The word of the node that reigns after this one. Waits for its next call."""
    until = time.monotonic() + _HEARD
    while (hello := call.member.opened().superseded_by) is None:
        if time.monotonic() >= until or _nobody_else_reigns(call):
            raise _refused_unheard(call)
        call.progress({"phase": _OPERATION, "waits_for": "the new primary to call"})
        if call.agent.stopping.wait(_STEP):
            raise TryAgain(_OPERATION, call.dataset, "the agent is stopping", "type it again when it is back")
    return hello


def _nobody_else_reigns(call: DatasetCall) -> bool:
    """Whether each other node of the dataset is heard now, and follows, or is followed: then nobody is waited for."""
    from agent.node.primary import Primary

    side = call.member.opened()
    if isinstance(side, Primary):
        return side.reign.mark is None and all(link.is_connected for link in side.outgoing.links.values())
    return side.connected and call.member.assigned.standbys == (call.member.node,)


def _refused_unheard(call: DatasetCall) -> Refused:
    if call.member.role is Role.STANDBY:
        reason = f"this node is a standby of {call.member.assigned.primary} already, and no other primary has called"
        return Refused(_OPERATION, call.dataset, reason, f"hikae status {call.dataset} says how it is")
    mark = call.member.primary().reign.mark
    if mark is not None and mark.fenced and mark.highest <= call.member.primary().reign.epoch.number:
        return _both_promoted(call, mark.peer, mark.epoch)
    if mark is None and _nobody_else_reigns(call):
        reason = f"this node is the primary of {call.dataset}, and its standbys follow it"
        return Refused(_OPERATION, call.dataset, reason, f"to turn the roles: hikae switchover {call.dataset}")
    reason = f"no node has called within {_HEARD:.0f} s that reigns in a later epoch"
    remedy = "look at the new primary: its agent must run and reach this node; hikae status there says why it does not"
    return Refused(_OPERATION, call.dataset, reason, remedy)


def _both_promoted(call: DatasetCall, peer: str, epoch: int) -> Refused:
    """Two nodes reign apart, so neither may go on before a person says which."""
    reason = f"both were promoted: {peer} reigns in epoch {epoch}, which is not higher than that of this node"
    remedy = f"on the one that is to go on: hikae serve {call.dataset} --alone; then rejoin on the other"
    return Refused(_OPERATION, call.dataset, reason, remedy)


def _gates(call: DatasetCall) -> tuple[Gate, ...]:
    from agent.node.primary import Primary
    from agent.status.promotion import Gate

    side = call.member.opened()
    if not isinstance(side, Primary):
        return ()
    now = time.time_ns()
    look = partial(_look, call)
    side.writing.ask_ahead(look)
    found = side.writing.found(look)
    writing = "; ".join(one.sentence() for one in found)
    remedy = "end what writes, or add --force" if found else ""
    return Gate("writers", not found, writing or "none", "none", now, remedy), side.vault_room().gate(now)
