"""A generation of an application that is stopped for it. Asked of the primary, where its hooks are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import cast

from agent.core.commit import Provenance, Quiesced
from agent.core.errors import TryAgain
from agent.operations.declaration import DatasetRequest, Json, dataset_operation, each_call, operation_of
from agent.operations.elsewhere.forwarding import ask_elsewhere
from agent.operations.generations import GenerationsTakeRequest
from agent.operations.patience import OpenedAnew, Patience
from agent.operations.running import DatasetCall
from agent.operations.waiting import reached_everywhere
from agent.status.state import Role
from agent.stream.position import Level


@dataclass(frozen=True, slots=True)
class GenerationsTakeOfflineRequest(DatasetRequest[Json]):
    """Stop the application by its hook, wait until all that it wrote is durable on every standby, take a generation there, and
    start it again: what ``GenerationsTakeRequest`` answers for the first standby, and ``{"down_ms", "steps": [{"name", "ms",
    "result"}]}``."""

    label: str = ""


@dataset_operation(
    "generations-take-offline",
    GenerationsTakeOfflineRequest,
    role=Role.PRIMARY,
    long=True,
    changes=each_call,
    typed="generations take --offline",
)
def _take_offline(call: DatasetCall, request: GenerationsTakeOfflineRequest) -> Json:
    from agent.generations.labels import check_label
    from agent.node.reigning.offline import OfflineWork

    check_label("take a generation", request.label)
    side = call.member.primary()
    patience = Patience("take a generation", call.dataset, None, call.progress, call.agent.stopping)
    made = Provenance(reached=Quiesced.APPLICATION)

    def wait() -> None:
        try:
            reached_everywhere(call, patience, side, lambda: call.member.side is side, wanted=Level.DURABLE, made=made)
        except OpenedAnew as error:
            raise TryAgain("wait", call.dataset, "the dataset was opened anew meanwhile", "type it again") from error

    work = OfflineWork(wait, partial(_taken, call, request.label), call.agent.stopping.is_set)
    with call.member.serving.nothing_started():
        return side.offline.take(work)


def _taken(call: DatasetCall, label: str) -> Json:
    """A generation on each standby; the answer of the first."""
    asked = GenerationsTakeRequest(call.dataset, label)
    standbys = call.member.assigned.standbys
    answers = [ask_elsewhere(call.agent, (node,), asked, operation_of(asked).name, call.progress) for node in standbys]
    return cast(Json, answers[0])
