"""A word for this moment, by which it is found again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from agent.core.errors import Refused, UsageError
from agent.core.ids import NOTHING
from agent.operations.declaration import DatasetRequest, FromAfar, Json, dataset_operation, each_call
from agent.operations.obstacles import of_capture
from agent.operations.patience import Patience
from agent.operations.running import DatasetCall
from agent.operations.waiting import on_open_primary
from agent.status.figures import stamp
from agent.status.published import number_json
from agent.status.state import Role

if TYPE_CHECKING:
    from agent.core.commit import Commit
    from agent.node.primary import Primary


@dataclass(frozen=True, slots=True)
class MarkRequest(DatasetRequest[Json]):
    """Name the state that the dataset has now, with all that was written before the call: ``{"label", "commit", "time"}``.
    ``--at`` finds it by the label for as long as history reaches. ``Refused`` where history has a mark of that label."""

    label: str = ""


@dataset_operation("mark", MarkRequest, role=Role.PRIMARY, long=True, changes=each_call, afar=FromAfar(every=1.0))
def _mark(call: DatasetCall, request: MarkRequest) -> Json:
    from agent.core.commit import Provenance
    from agent.generations.labels import check_label

    if not request.label:
        raise UsageError("mark", call.dataset, "a mark needs a label", f"hikae mark {call.dataset} before-upgrade")
    check_label("mark", request.label)
    patience = Patience("mark", call.dataset, None, call.progress, call.agent.stopping)

    def reach(side: Primary, still: Callable[[], bool]) -> Commit | None:
        _require_new(side, call.dataset, request.label)
        barrier = side.pump.barrier(Provenance(label=request.label))
        number = patience.until(barrier.wait, partial(of_capture, side, call.member.board), still)
        with side.reader() as reader:
            return reader.commit_at(number)

    commit = on_open_primary(call, patience, reach)
    number, time = (commit.number, commit.time) if commit is not None else (NOTHING, 0)
    return {"label": request.label, "commit": number_json(number), "time": stamp(time)}


def _require_new(side: Primary, dataset: str, label: str) -> None:
    from agent.generations.local_time import time_text

    with side.reader() as reader:
        if marks := reader.labelled(NOTHING, label):
            reason = f"the state of {time_text(marks[-1].time)} is marked so"
            raise Refused("mark", f"{dataset}: {label}", reason, "choose another label")
