"""Sending and applying stand still for a while, and go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.errors import Refused
from agent.node.pauses import APPLY, SEND
from agent.operations.declaration import Activity, DatasetRequest, Json, dataset_operation, each_call
from agent.operations.running import DatasetCall
from agent.status.figures import stamp
from agent.status.state import Role

if TYPE_CHECKING:
    from agent.node.member import Member


@dataclass(frozen=True, slots=True)
class PauseRequest(DatasetRequest[Json]):
    """Stop sending, applying or both, for ``seconds`` (None: until resumed): ``{"dataset", "paused"}``, the latter a map of what
    stands still to the time of its end (null: until resumed), null for nothing."""

    what: Activity = "both"
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ResumeRequest(DatasetRequest[Json]):
    """Undo a pause: ``{"dataset", "paused"}``."""

    what: Activity = "both"


@dataset_operation("pause", PauseRequest, role=None, long=False, changes=each_call)
def _pause(call: DatasetCall, request: PauseRequest) -> Json:
    for one in _activities("pause", call.member, request.what):
        call.member.pauses.pause(one, request.seconds)
    call.member.steer()
    return _paused(call)


@dataset_operation("resume", ResumeRequest, role=None, long=False, changes=each_call)
def _resume(call: DatasetCall, request: ResumeRequest) -> Json:
    for one in _activities("resume", call.member, request.what):
        call.member.pauses.resume(one)
    call.member.steer()
    return _paused(call)


def _activities(operation: str, member: Member, what: Activity) -> list[str]:
    """What ``pause`` and ``resume`` mean here. Raises ``Refused`` for what this node does not do."""
    own = SEND if member.role is Role.PRIMARY else APPLY
    if what in ("both", own):
        return [own]
    where = ", ".join(member.assigned.standbys) if what == APPLY else member.assigned.primary
    reason = f"this node does not {what}: it is the {member.role.value}"
    raise Refused(operation, member.dataset.name, reason, f"type it on {where}")


def _paused(call: DatasetCall) -> Json:
    """As in ``status``: what stands still, and until when (null: until resumed)."""
    still = {what: stamp(until) for what, until in call.member.pauses.until_ns().items()}
    return {"dataset": call.dataset, "paused": still or None}
