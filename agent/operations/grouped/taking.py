"""Generations of a group: one of each of its datasets, all of one moment. Asked of the node that has the vaults."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.errors import Refused, TryAgain
from agent.operations.declaration import DatasetRequest, FromAfar, Json, dataset_operation, each_call
from agent.operations.generations import taken
from agent.operations.running import DatasetCall
from agent.status.state import Role


@dataclass(frozen=True, slots=True)
class GenerationsTakeGroupRequest(DatasetRequest[Json]):
    """Take a generation of each dataset of a group, all of one moment, asked of any one of them: ``{"group", "together",
    "generations": [{"dataset", "generation", "commit", "digest", "consistency", "stood_still_ms", "note"}]}``, in the order of
    the configuration; of all, or of none."""

    group: str = ""
    label: str = ""
    pin: bool = False

    @property
    def named(self) -> tuple[str, ...]:
        """See ``DatasetRequest``."""
        return ("--group", self.group)


def _unpinned(request: GenerationsTakeGroupRequest) -> bool:
    """Only who sits at the vault decides what stays for good."""
    return not request.pin


@dataset_operation(
    "generations-take-group",
    GenerationsTakeGroupRequest,
    role=Role.STANDBY,
    long=True,
    changes=each_call,
    afar=FromAfar(_unpinned, every=60.0),
    typed="generations take",
)
def _take(call: DatasetCall, request: GenerationsTakeGroupRequest) -> Json:
    from agent.generations.labels import check_label
    from agent.generations.taking import WantedGeneration, require_few
    from agent.node.grouped.taking import TakesGroup
    from agent.store.catalog.generation import Cause

    check_label("take a generation", request.label)
    with call.member.standby().reader() as reader:
        require_few(reader, call.dataset, call.peer)

    def still_wanted() -> None:
        if call.agent.stopping.is_set():
            raise TryAgain("take a generation", request.group, "the agent is stopping")
        call.progress({"phase": "take", "waits_for": "one moment of all datasets of the group"})

    _require_own(call, request.group)
    takes = TakesGroup(call.agent.members, call.member.around.settings, call.member.around.clock, still_wanted)
    kept = takes.take(request.group, WantedGeneration(Cause.DEMAND, request.label, request.pin))
    found = [{"dataset": name, **taken(call.agent.members[name].standby(), one)} for name, one in kept.items()]
    return {"group": request.group, "together": next(one.together for one in kept.values()), "generations": found}


def _require_own(call: DatasetCall, group: str) -> None:
    """A group is named by one of its datasets; another node has part in each. Raises ``Refused``."""
    if not group or call.member.dataset.group != group:
        reason = f"{call.dataset} is not in it here"
        raise Refused("take a generation of the group", group, reason, "compare hikae config show on both nodes")
    for name, member in call.agent.members.items():
        shared = call.peer in (member.assigned.primary, *member.assigned.standbys)
        if call.peer and member.dataset.group == group and not shared:
            reason = f"{call.peer} has no part in {name}"
            raise Refused("take a generation of the group", group, reason, "type it on the node that has the vaults")
