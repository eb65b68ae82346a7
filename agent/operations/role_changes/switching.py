"""The primary hands its place over to a standby: what is typed, and what one node asks of the other."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agent.core.errors import HikaeError, NotFound, Refused, TryAgain, UsageError
from agent.core.forwarded import Forwarded
from agent.operations.declaration import DatasetRequest, FromAfar, Json, dataset_operation, each_call
from agent.operations.elsewhere.forwarding import checked_answer
from agent.operations.role_changes.own_state import BARE_METAL, refuse_own_place
from agent.operations.role_changes.required_words import require_words
from agent.operations.role_changes.standby_meant import StandbyWords, standby_meant
from agent.operations.role_changes.stepping import done, kept_words
from agent.operations.running import DatasetCall
from agent.status.figures import stamp
from agent.status.state import Role

if TYPE_CHECKING:
    from agent.node.standby import Standby
    from agent.roles.switchover.steps import WantedSwitchover

Stage: TypeAlias = Literal["gates", "prepare", "compare"]
_OPERATION = "switchover"
#: Seconds within which the primary is to answer who is to take over from it.
_REACHED = 10.0
#: The step of a take-over that waits for the dataset to be open here.
_WAITS_AT = frozenset({"serving"})
#: Gates of a promotion that say nothing of a switchover: the primary lives, and what is behind is waited for.
_NOT_ASKED = frozenset({"primary", "lag"})


@dataclass(frozen=True, slots=True)
class SwitchoverRequest(DatasetRequest[Json]):
    """Make a standby the primary, and this primary its standby; ``to``: which ("": the only one).

    ``{"dataset", "epoch", "role", "rto_ms", "lost", "generation_before", "steps": [{"name", "ms", "result"}]}``; with ``dry_run``
    nothing is done: ``{"dataset", "to", "gates"}``; with ``when`` it is planned: ``{"dataset", "to", "at"}``; with ``cancel``
    what was planned is not done: ``{"dataset", "to", "cancelled"}``. ``Refused`` while a gate is not met, unless ``force``, which
    raises ``UsageError`` where words are required that were not said. It goes on when nobody waits any more: what fails before
    the hand-over leaves the old primary serving, after it the new one."""

    to: str = ""
    force: bool = False
    dry_run: bool = False
    reason: str = ""
    approved_by: str = ""
    when: str = ""
    cancel: bool = False


@dataclass(frozen=True, slots=True)
class SwitchoverLookRequest(DatasetRequest[Json]):
    """What the primary asks of the node that is to take over. ``stage``: ``gates`` (``{"gates"}``), ``prepare`` (what
    is to run before it takes over was run: ``{"said"}``), ``compare`` (``{"commit", "digest", "applied", "owed"}``)."""

    stage: Stage = "gates"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TakeOverRequest(DatasetRequest[Json]):
    """The primary has handed its place over to this node, in the reign ``epoch``: ``{"epoch", "steps"}``. ``commit``, ``digest``:
    where it stood then; ``Refused`` where this node stands elsewhere by now, since its state is an older copy. ``reason``,
    ``approved_by``: as they were typed."""

    epoch: str = ""
    commit: int = 0
    digest: str = ""
    reason: str = ""
    approved_by: str = ""


def _does(request: SwitchoverRequest) -> bool:
    return not request.dry_run


@dataset_operation("switchover", SwitchoverRequest, role=None, long=True, changes=_does, afar=FromAfar(every=1.0))
def _switchover(call: DatasetCall, request: SwitchoverRequest) -> Json:
    if request.when and request.cancel:
        raise UsageError(_OPERATION, call.dataset, "--when and --cancel were given", "one of both")
    if call.member.role is Role.STANDBY:
        return _from_standby(call, request)
    if request.cancel:
        return _cancelled(call)
    refuse_own_place(call, _OPERATION, "hikae promote on the other node, and " + BARE_METAL)
    to = _node(call, request.to)
    if not request.dry_run:
        # What writes on, or is owed, is met only once the application has stopped: too late to ask for words.
        require_words(call, f"switchover {call.dataset} --force", request, lost=request.force)
    if request.when and not request.dry_run:
        return _planned(call, request, to)
    if request.dry_run:
        return {"dataset": call.dataset, "to": to, "gates": _gates_of(call, to)}
    from agent.roles.switchover.steps import KIND

    return done(call, KIND, _wanted(call, request, to).as_facts())


def _wanted(call: DatasetCall, request: SwitchoverRequest, to: str) -> WantedSwitchover:
    from agent.roles.switchover.steps import WantedSwitchover

    reason, approved_by = kept_words(request.reason), kept_words(request.approved_by)
    return WantedSwitchover(call.dataset, to, request.force, reason, approved_by, call.typist)


def _planned(call: DatasetCall, request: SwitchoverRequest, to: str) -> Json:
    from agent.roles.switchover.planned import PlannedSwitchover, planned_time

    at = planned_time(request.when, time.time_ns())
    call.member.planned.set(PlannedSwitchover(at, _wanted(call, request, to), call.uid))
    return {"dataset": call.dataset, "to": to, "at": stamp(at)}


def _cancelled(call: DatasetCall) -> Json:
    before = call.member.planned.set(None)
    if before is None:
        raise NotFound("call a switchover off", call.dataset, "none is planned", "hikae status shows what is")
    return {"dataset": call.dataset, "to": before.wanted.to, "cancelled": stamp(before.at)}


def _from_standby(call: DatasetCall, request: SwitchoverRequest) -> Json:
    """It is the primary's to do; where this node was that, and has handed over to who never took it, the end of that."""
    from agent.operations.arguments import written

    unheard = _handed_over_in_vain(call)
    primary = call.member.assigned.primary
    if unheard is not None and not (request.dry_run or request.when or request.cancel):
        from agent.roles.switchover.steps import FINISH, epoch_fact

        wanted = _wanted(call, request, primary)
        return done(call, FINISH, {**wanted.as_facts(), "epoch": epoch_fact(unheard)})
    if call.peer:
        reason = f"{call.dataset} is standby here too"
        raise Refused(_OPERATION, call.dataset, reason, f"hikae status on {primary}")
    asked = written(request if request.to or request.cancel else _to_this_node(call, request))
    forwarded = Forwarded(call.dataset, _OPERATION, asked, call.typist)
    answer: Json = checked_answer(call.agent.forward(primary, forwarded, call.progress), request, primary)
    return answer


def _to_this_node(call: DatasetCall, request: SwitchoverRequest) -> SwitchoverRequest:
    """Typed on a standby it is that one which is meant, and its clock."""
    from dataclasses import replace

    from agent.roles.switchover.planned import zoned_plan

    return replace(request, to=call.member.node, when=zoned_plan(request.when, time.time_ns()))


def _handed_over_in_vain(
    call: DatasetCall,
) -> Any:  # Any: an ``Epoch``, whose module this one does not load for the command line
    """The reign that this node has handed over, and that nobody has called in."""
    record = call.member.recorded()
    if record is None or record.role is not Role.STANDBY:
        return None
    return record.epoch if record.epoch.number > call.member.standby().epoch else None


def _node(call: DatasetCall, asked: str) -> str:
    if asked == call.member.assigned.primary:
        raise Refused(_OPERATION, call.dataset, f"{asked} is its primary already", "there is nothing to do")
    return standby_meant(call, asked, _OPERATION, StandbyWords("a standby", "can be meant", "--to"))


def _gates_of(call: DatasetCall, to: str) -> Any:  # Any: JSON
    from agent.roles.switchover.answers import gates_in
    from agent.roles.switchover.own_gates import own_gate

    asked = Forwarded(call.dataset, "switchover-look", {"stage": "gates"}, call.typist)
    own = own_gate(call.member.node, call.member.dataset.hooks, time.time_ns())
    return [*gates_in(to, call.agent.forward(to, asked, call.progress)), own]


def _prepares(request: SwitchoverLookRequest) -> bool:
    return request.stage == "prepare"


@dataset_operation(
    "switchover-look",
    SwitchoverLookRequest,
    role=None,
    long=True,
    changes=_prepares,
    # It runs a program of the operator's here.
    afar=FromAfar(every=1.0),
    typed="switchover",
)
def _look(call: DatasetCall, request: SwitchoverLookRequest) -> Json:
    from agent.roles.switchover.taking_over import UNSAID, require_whole

    _require_primary(call)
    side = call.member.standby()
    if request.stage == "gates":
        return {"gates": _gates(call)}
    if request.stage == "prepare":
        return {"said": call.member.before_take_over(kept_words(request.reason) or UNSAID)}
    require_whole(call.dataset, side.newest())
    return _stands(side)


def _stands(side: Standby) -> Json:
    newest = side.newest()
    return {
        "commit": newest.number if newest is not None else 0,
        "digest": newest.digest.hex() if newest is not None else "",
        "applied": side.loop.facts().applied,
        "owed": side.owing,
    }


def _gates(call: DatasetCall) -> list[Json]:
    from agent.status.promotion import gate_json

    promotion = call.member.facts().promotion
    known = promotion.gates if promotion is not None else ()
    return [gate_json(gate) for gate in known if gate.name not in _NOT_ASKED] + [_reverse_connection(call)]


def _reverse_connection(call: DatasetCall) -> Json:
    """The other way round it is this node that calls: whether it reaches who is the primary now."""
    from agent.status.promotion import Gate, gate_json

    primary, until = call.member.assigned.primary, time.monotonic() + _REACHED

    def still(_progress: Json) -> None:
        if time.monotonic() >= until:
            raise ConnectionError

    try:
        call.agent.forward(primary, Forwarded(call.dataset, "whereabouts", {}, "switchover"), still)
    except (HikaeError, ConnectionError) as error:
        why = error.reason if isinstance(error, HikaeError) else f"no answer within {_REACHED:.0f} s"
        value, ok = f"{call.member.node} does not reach {primary}: {why}", False
    else:
        value, ok = f"{call.member.node} reaches {primary}", True
    remedy = f"on {call.member.node}: look at the address of {primary} and the firewall between them"
    return gate_json(Gate("reverse-connection", ok, value, "reached", time.time_ns(), "" if ok else remedy))


def _require_primary(call: DatasetCall) -> None:
    """Raises ``Refused`` where another node asks than the one whose standby this is (law 6)."""
    primary = call.member.assigned.primary
    if call.member.role is not Role.STANDBY or call.peer != primary:
        reason = f"{call.peer or 'who asks'} is not its primary here: {primary} is"
        raise Refused(_OPERATION, call.dataset, reason, "hikae status on both nodes")


@dataset_operation(
    "take-over", TakeOverRequest, role=None, long=True, changes=each_call, afar=FromAfar(), typed="switchover"
)
def _taken_over(call: DatasetCall, request: TakeOverRequest) -> Json:
    """Only for who is the primary here, in a reign of this node's own that follows what it has met; twice is the same as once."""
    from agent.node.primary import Primary
    from agent.roles.switchover.steps import StandsAt, epoch_in, is_equal, refused_elsewhere
    from agent.roles.switchover.taking_over import KIND, require_followed, require_whole

    try:
        epoch = epoch_in(request.epoch)
    except ValueError as error:
        raise UsageError(_OPERATION, call.dataset, "no epoch is named") from error
    side = call.member.side
    if isinstance(side, Primary) and side.reign.epoch == epoch:
        busy = call.member.stepped.running
        if busy is not None:
            reason = f"{call.member.node} took it, and is at the step {busy.doing} since it was started again"
            raise TryAgain(_OPERATION, call.dataset, reason, f"hikae status on {call.member.node}")
        return {"epoch": epoch.number, "steps": []}
    _require_primary(call)
    side = call.member.standby()
    with side.reader() as reader:
        require_followed(call.member.node, call.dataset, epoch, reader.lineage)
    stands = _stands(side)
    handed = StandsAt(request.commit, request.digest, request.commit)
    here = StandsAt(stands["commit"], stands["digest"], stands["applied"])
    if not is_equal(handed, here):
        raise refused_elsewhere(call.dataset, call.peer, handed, here)
    require_whole(call.dataset, side.newest())
    words = {"reason": kept_words(request.reason), "approved_by": kept_words(request.approved_by)}
    answer = done(call, KIND, {"epoch": request.epoch, **words}, waits_at=_WAITS_AT)
    return {"epoch": epoch.number, "steps": answer["steps"]}
