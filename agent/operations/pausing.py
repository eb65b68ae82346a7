"""Sending and applying stand still for a while, and go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.errors import Refused, UsageError
from agent.core.ids import epoch_of, seq_of
from agent.node.pauses import APPLY, SEND, BegunPause
from agent.operations.declaration import Activity, DatasetRequest, Json, dataset_operation, each_call
from agent.operations.running import DatasetCall
from agent.status.facts import DatasetFacts
from agent.status.figures import stamp
from agent.status.sentences import hold_text
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
    """Undo a pause: ``{"dataset", "paused", "ended": [{"node", "what", "since", "until", "by"}], "behind_bytes",
    "behind_commits", "held", "elsewhere": [{"node", "what", "until", "by"}]}``; ``ended``: what stood still until now;
    ``elsewhere``: what stands still on other nodes, and is resumed there; ``behind_bytes``: what waits for the peer that
    lacks most, ``behind_commits``: what is received here and not applied, null where that is not a matter of counting; ``held``:
    what keeps it from going on all the same and what leads on, null for nothing."""

    what: Activity = "both"


@dataset_operation("pause", PauseRequest, role=None, long=False, changes=each_call)
def _pause(call: DatasetCall, request: PauseRequest) -> Json:
    if request.seconds is not None and request.seconds <= 0:
        raise UsageError(
            "pause", call.dataset, f"{request.seconds:g} s are no time", "write it like 2h, or leave it out"
        )
    for one in _activities("pause", call.member, request.what):
        call.member.pauses.pause(one, request.seconds, call.typist)
    call.member.steer()
    return _paused(call)


@dataset_operation("resume", ResumeRequest, role=None, long=False, changes=each_call)
def _resume(call: DatasetCall, request: ResumeRequest) -> Json:
    over = [call.member.pauses.resume(one) for one in _activities("resume", call.member, request.what)]
    behind = _behind(call.member.facts())
    call.member.steer()
    status = call.agent.publish()
    return {
        **_paused(call),
        "ended": [_ended(call.member.node, one) for one in over if one is not None],
        **behind,
        "held": held_text(status, call.dataset),
        "elsewhere": paused_elsewhere(status, call.dataset),
    }


def paused_elsewhere(status: Json, dataset: str) -> list[Json]:
    """The pauses of a dataset that other nodes have, by what is published."""
    found = [one["pauses"] for one in status["datasets"] if one["name"] == dataset]
    return [pause for pauses in found for pause in pauses if pause["node"] != status["node"]]


def held_text(status: Json, dataset: str) -> str | None:
    """What is held of a dataset, here or on a peer, and what leads on, by what is published; None where nothing is."""
    held = [one for one in status["datasets"] if one["name"] == dataset and one["hold"]]
    return hold_text(status, held[0]["hold"], dataset, held[0]["primary"]) if held else None


def _ended(node: str, pause: BegunPause) -> Json:
    return {
        "node": node,
        "what": pause.what,
        "since": stamp(pause.since),
        "until": stamp(pause.until),
        "by": pause.by,
    }


def _behind(facts: DatasetFacts) -> Json:
    """What waited for the end of a pause."""
    commits: int | None = 0
    if facts.commit is not None and facts.role is Role.STANDBY:
        newest, applied = facts.commit.number, facts.applied
        commits = seq_of(newest) - seq_of(applied) if epoch_of(newest) == epoch_of(applied) else None
    return {
        "behind_bytes": max((peer.behind_bytes for peer in facts.peers), default=0),
        "behind_commits": commits,
    }


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
