"""The steps of a rehearsal, in order. What stands on the standby is never touched by any of them.

The record is what holds the apply, also over a crash: it is there from before the first step to after the last. A probe is run
once and not again: a crash in the middle of it ends the rehearsal, and what it left is cleared away.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Protocol

from agent.core.errors import Refused
from agent.core.ids import CommitNumber
from agent.core.standing import Rehearsed
from agent.steps.record import Facts, StepsRecord
from agent.steps.runner import Step, StepOutcome

#: The kind of such a record, and the file that it stands in.
KIND, RECORD = "rehearsal", "rehearsal.json"
OPERATION = "rehearse"
_FOUND = "rehearsed"


class RehearsalWorld(Protocol):
    """What the steps act on. Everything raises ``HikaeError``; ``CalledOff`` once the agent is to end."""

    def hold(self) -> CommitNumber:
        """The apply stands still between two commits; what the standby equals."""
        ...

    def probe(self, commit: CommitNumber) -> Rehearsed:
        """Run the operator's probe on a view of the standby. Raises ``Refused`` where an earlier process began to."""
        ...

    def clear_away(self) -> str:
        """Nothing of the view is left; what was done, for people."""
        ...

    def keep(self, found: Rehearsed) -> None:
        """What was found is durable, and shown from now on."""
        ...

    def release(self) -> None:
        """The apply goes on."""
        ...


def rehearsed_in(facts: Facts) -> Rehearsed | None:
    """What the probe's step learned; None before it has."""
    found: Any = facts.get(_FOUND)  # Any: see ``Facts``
    return Rehearsed(**found) if isinstance(found, dict) else None


def _hold(world: RehearsalWorld, _record: StepsRecord) -> StepOutcome:
    commit = world.hold()
    return StepOutcome("the apply stands still", {"commit": commit})


def _probe(world: RehearsalWorld, record: StepsRecord) -> StepOutcome:
    found = world.probe(CommitNumber(record.facts["commit"]))
    return StepOutcome(found.reason or "the probe is content", {_FOUND: asdict(found)})


def _clear(world: RehearsalWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.clear_away())


def _keep(world: RehearsalWorld, record: StepsRecord) -> StepOutcome:
    found = rehearsed_in(record.facts)
    if found is None:
        raise Refused(OPERATION, "", "it was not tried", "")
    world.keep(found)
    return StepOutcome("kept")


def _release(world: RehearsalWorld, _record: StepsRecord) -> StepOutcome:
    world.release()
    return StepOutcome("the apply goes on")


TABLE: tuple[Step[RehearsalWorld], ...] = (
    Step("hold", _hold),
    Step("probe", _probe),
    Step("keep", _keep),
    Step("clear", _clear, always=True),
    Step("release", _release, always=True),
)
