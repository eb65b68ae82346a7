"""The steps by which a standby takes the place over that its primary has durably handed to it. Each may be run twice."""

from __future__ import annotations

from typing import Protocol

from agent.core.errors import Refused
from agent.core.ids import Epoch
from agent.roles.switchover.steps import epoch_in
from agent.steps.hooks import HookResult
from agent.steps.record import StepsRecord
from agent.steps.runner import Step, StepOutcome
from agent.stream.guards import EVERY_GUARD, RoleGuards

#: The kind of such a record, and the file that it stands in.
KIND, RECORD = "take-over", "take-over.json"


class TakeOverWorld(Protocol):
    """What the steps act on. Everything raises ``HikaeError``; ``CalledOff`` once the agent is to end."""

    def run_hook(self, name: str) -> HookResult: ...

    def take_role(self, epoch: Epoch) -> str:
        """This node is durably the primary in that reign of its own; for people."""
        ...

    def serving(self, epoch: Epoch) -> str:
        """It is open as that, watches and captures; for people."""
        ...


def _role(world: TakeOverWorld, record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.take_role(epoch_in(record.arguments["epoch"])))


def _serving(world: TakeOverWorld, record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.serving(epoch_in(record.arguments["epoch"])))


def _start(world: TakeOverWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.run_hook("start").sentence())


def _after(world: TakeOverWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.run_hook("after_promote").sentence())


TABLE: tuple[Step[TakeOverWorld], ...] = (
    Step("role", _role),
    Step("serving", _serving),
    Step("start", _start),
    Step("after-promote", _after),
)


def require_followed(node: str, dataset: str, epoch: Epoch, known: int, guards: RoleGuards = EVERY_GUARD) -> None:
    """A reign is taken over that is this node's own and above every one that it has met (law 6); ``known``: the highest of those.
    Raises ``Refused``."""
    if epoch.owner != node:
        raise Refused("take over", dataset, f"epoch {epoch.number} is of {epoch.owner}, and this is {node}")
    if epoch.number != known + 1 and guards.next_reign:
        reason = f"epoch {epoch.number} does not follow {known}, which is the newest that {node} has met"
        raise Refused(
            "take over", dataset, reason, "hikae status on both nodes; then hikae promote on the one to serve"
        )
