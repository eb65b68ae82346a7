"""What a person decides: whether to go on although a hold stands, and whether another directory is the standby."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.errors import Refused, TryAgain
from agent.core.hold import Hold, unaccepted
from agent.core.problem_codes import DEVICE_SHRUNK, ROOT_REPLACED
from agent.operations.declaration import DatasetRequest, Json, dataset_operation, each_call
from agent.operations.role_changes.required_words import UNSAID, require_words
from agent.operations.running import DatasetCall
from agent.status.state import Role
from agent.status.text import shown

if TYPE_CHECKING:
    from agent.node.member import Member
    from agent.status.facts import DatasetFacts


@dataclass(frozen=True, slots=True)
class AcceptRequest(DatasetRequest[Json]):
    """Go on although a hold stands: ``{"dataset", "accepted": the hold}``, on a standby with ``generation_before``, the
    generation of what stood there, null where that never was whole; ``Refused`` when nothing is held here;
    ``UsageError`` of a fencing where words are required, which ``serve`` takes."""


@dataclass(frozen=True, slots=True)
class ResyncRequest(DatasetRequest[Json]):
    """Take whatever stands at the standby's path for the standby, whose directory is gone or another: ``{"dataset", "path"}``;
    ``Refused`` where it is the one that it was, or on the primary."""


@dataset_operation("accept", AcceptRequest, role=None, long=True, changes=each_call)
def _accept(call: DatasetCall, _request: AcceptRequest) -> Json:
    member = call.member
    if member.side is None:
        raise _not_running("accept", call.dataset)
    facts = member.facts()
    hold, stands_on = _held_somewhere(facts, member.node)
    refused = unaccepted(hold, stands_on, member.node, call.dataset)
    if hold is None or refused is not None:
        raise Refused("accept", call.dataset, *(refused or ()))
    if facts.role is Role.STANDBY:
        kept = _kept_before(member, facts, hold)
        member.standby().loop.accept()
        return {"dataset": call.dataset, "accepted": shown(hold.sentence), "generation_before": kept}
    _accept_on_primary(call, hold)
    return {"dataset": call.dataset, "accepted": str(hold.code)}


def _kept_before(member: Member, facts: DatasetFacts, hold: Hold) -> str | None:
    """The generation of what the standby equals now, which is about to be given up; None where that never was whole."""
    from agent.generations.taking import WantedGeneration
    from agent.store.catalog.generation import Cause

    wanted = WantedGeneration(Cause.BEFORE, note=f"before this was accepted: {shown(hold.sentence)}")
    one = member.standby().taker.keep_what_stands(facts.applied, wanted)
    return one.name if one is not None else None


def _accept_on_primary(call: DatasetCall, hold: Hold) -> None:
    side = call.member.primary()
    mark = side.reign.mark
    if mark is not None:
        # It is what serve does, which is told why.
        require_words(call, f"serve {call.dataset} --alone", UNSAID, lost=mark.fenced and not mark.by_hand)
        side.accept_mark(mark)
    elif hold.code in (ROOT_REPLACED, DEVICE_SHRUNK):
        side.pump.accept_root()


def _held_somewhere(facts: DatasetFacts, here: str) -> tuple[Hold | None, str]:
    """What is held, here or as a connected peer says, and on which node that is."""
    if facts.hold is not None:
        return facts.hold, here
    said = ((peer.told.standing.hold, peer.name) for peer in facts.peers if peer.told and peer.connected)
    return next(((hold, name) for hold, name in said if hold is not None), (None, ""))


@dataset_operation("resync", ResyncRequest, role=None, long=True, changes=each_call)
def _resync(call: DatasetCall, _request: ResyncRequest) -> Json:
    member = call.member
    if member.side is None:
        raise _not_running("resync", call.dataset)
    if member.facts().role is not Role.STANDBY:
        where = f"type it on {', '.join(member.assigned.standbys)}"
        raise Refused("resync", call.dataset, "this node is its primary", where)
    side = member.standby()
    member.resync()
    return {"dataset": call.dataset, "path": side.dataset.path}


def _not_running(operation: str, dataset: str) -> TryAgain:
    return TryAgain(operation, dataset, "the dataset is not running now", "see hikae status for why")
