"""``generations verify``: are the chunks of generations there, and what they should be?"""

from __future__ import annotations

import time
from dataclasses import dataclass

from agent.operations.declaration import DatasetRequest, Json, dataset_operation, each_call
from agent.operations.running import DatasetCall
from agent.operations.upkeep.progress import UpkeepProgress
from agent.status.state import Role
from agent.status.text import shown

#: Seconds between two words of progress.


@dataclass(frozen=True, slots=True)
class GenerationsVerifyRequest(DatasetRequest[Json]):
    """Read and name again every chunk of a generation, or, without one, of all that can be brought back: ``{"checked_bytes",
    "damaged": [{"chunk", "reason", "paths", "generations", "mended"}]}``. ``paths``: at most a hundred; ``generations``: those in
    which they are hurt, and "newest" for the state of now. What is damaged is put back from the standby or the primary where
    these have it; what they have not is read as lost from then on."""

    generation: str = ""

    @property
    def operands(self) -> tuple[str, ...]:
        """See ``DatasetRequest``."""
        return (self.generation,) if self.generation else ()


@dataset_operation("generations-verify", GenerationsVerifyRequest, role=Role.STANDBY, long=True, changes=each_call)
def _verify(call: DatasetCall, request: GenerationsVerifyRequest) -> Json:
    # Only in the agent: the command line imports this module for its request.
    from agent.generations.checking import every_name
    from agent.node.following.checking.checked_chunks import ChunksWanted, check_chunks

    side, begun = call.member.standby(), time.time_ns()
    wanted = ChunksWanted(call.dataset, every_name, request.generation)
    repairs = {"phase": "repair"}
    told = UpkeepProgress(call, "verify the generations", "verify")
    checked = check_chunks(
        side, wanted, lambda done: told(done_bytes=done), call.agent.stopping, lambda: call.progress(repairs)
    )
    if request.generation:
        side.checks.record.checked_some(checked)
    else:
        side.checks.record.checked_all(begun, time.time_ns(), checked)
    found = [
        {
            "chunk": one.name.hex(),
            "reason": one.reason,
            "paths": [shown(path) for path in one.paths],
            "generations": list(one.generations),
            "mended": one.name in checked.mended,
        }
        for one in checked.damaged
    ]
    return {"checked_bytes": checked.checked_bytes, "damaged": found}
