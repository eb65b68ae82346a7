"""A collection that somebody asks for, and what one would do."""

from __future__ import annotations

from dataclasses import dataclass

from agent.operations.declaration import DatasetRequest, Json, dataset_operation
from agent.operations.running import DatasetCall
from agent.operations.upkeep.progress import STEP, UpkeepProgress
from agent.status.figures import stamp
from agent.status.state import Role


@dataclass(frozen=True, slots=True)
class GenerationsCollectRequest(DatasetRequest[Json]):
    """Let what nothing names any more leave the vault now: ``{"chunks", "bytes", "packs", "written"}``: what went, the bytes of
    the packs that it had, how many packs are gone, and how many bytes were written for that.
    With ``dry_run`` nothing goes: ``{"since", "dropped": {"packs", "bytes"}, "rewritten": {"packs", "bytes"}, "written",
    "bytes"}``: packs that would go whole, and those that would be rewritten with what is dead in them; how much would be written
    for that, and come back in all. What came after ``since`` is left for the next."""

    dry_run: bool = False


def _changes(request: GenerationsCollectRequest) -> bool:
    return not request.dry_run


@dataset_operation("generations-collect", GenerationsCollectRequest, role=Role.STANDBY, long=True, changes=_changes)
def _collect(call: DatasetCall, request: GenerationsCollectRequest) -> Json:
    collector, told = call.member.standby().collector, UpkeepProgress(call, "collect", "collect")
    if request.dry_run:
        planned = collector.plan(told)
        plan = planned.plan
        return {
            "since": stamp(planned.since),
            "dropped": {"packs": len(plan.drop), "bytes": sum(pack.size for pack in plan.drop)},
            "rewritten": {"packs": len(plan.rewrite), "bytes": sum(pack.dead for pack in plan.rewrite)},
            "written": plan.writes,
            "bytes": plan.frees,
        }
    asked = collector.ask()
    while (gone := asked.wait(STEP)) is None:
        told()
    written = gone.compacted.written
    return {"chunks": gone.chunks, "bytes": gone.bytes, "packs": gone.packs, "written": written}
