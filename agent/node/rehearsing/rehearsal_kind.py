"""That a standby can be rehearsed, for the runner of steps; what does it is imported when the first one begins."""

from __future__ import annotations

from typing import Protocol

from agent.config.values import Dataset
from agent.core.problem_codes import REHEARSAL_FAILED
from agent.node.context import Surroundings
from agent.node.rehearsing.last_rehearsal import LastRehearsal
from agent.node.standby import Standby
from agent.node.stepping.stepped import SteppedRun, StepsKind
from agent.roles.rehearsal.steps import KIND, RECORD, TABLE, RehearsalWorld
from agent.status.state import Role
from agent.steps.record import Facts


class RehearsingMember(Protocol):
    """The dataset whose standby is tried (``node.member.Member``). Any thread."""

    dataset: Dataset
    rehearsals: LastRehearsal

    @property
    def node(self) -> str: ...

    @property
    def role(self) -> Role: ...

    def standby(self) -> Standby:
        """The open standby. Raises ``TryAgain``, ``NotFound``."""
        ...


def rehearsal_kind(member: RehearsingMember, around: Surroundings) -> StepsKind[RehearsalWorld]:
    """A rehearsal of a standby, for ``node.stepping.stepped``. Whatever else is wished goes before it."""

    def world(_arguments: Facts, run: SteppedRun) -> RehearsalWorld:
        from agent.node.rehearsing.rehearsal_world import RehearsalOnStage

        return RehearsalOnStage(member, around, run)

    return StepsKind(
        KIND, RECORD, "a rehearsal", REHEARSAL_FAILED, TABLE, world, lambda: member.role is Role.STANDBY, gives_way=True
    )
