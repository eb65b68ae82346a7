"""The steps by which a standby takes the place over that its primary has durably handed to it. Each may be run twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agent.core.commit import Commit
from agent.core.errors import Refused
from agent.core.ids import EPOCH_LIMIT, Epoch, shown_commit
from agent.roles.record import TOKEN_SIZE
from agent.roles.switchover.steps import epoch_in
from agent.steps.hooks import HookResult
from agent.steps.record import StepsRecord
from agent.steps.runner import Step, StepOutcome
from agent.stream.guards import EVERY_GUARD, RoleGuards
from agent.stream.receiving.epochs import newest_of

#: The kind of such a record, and the file that it stands in.
KIND, RECORD = "take-over", "take-over.json"
#: What programs are told as the reason where nobody said one.
UNSAID = "a switchover"


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


def require_followed(
    node: str, dataset: str, epoch: Epoch, lineage: Sequence[Epoch], guards: RoleGuards = EVERY_GUARD
) -> None:
    """A reign is taken over that is this node's own, has an id of its own and is above every one that it has met (law 6), which
    are ``lineage``. Raises ``Refused``."""
    known = newest_of(lineage).number
    if epoch.owner != node:
        raise Refused("take over", dataset, f"epoch {epoch.number} is of {epoch.owner}, and this is {node}")
    if not _can_be_begun(epoch, lineage):
        reason = f"epoch {epoch.number} comes without an id of its own, or with a number that nothing can follow"
        raise Refused("take over", dataset, reason, "look at the primary: its agent is faulty or hostile")
    if epoch.number != known + 1 and guards.next_reign:
        reason = f"epoch {epoch.number} does not follow {known}, which is the newest that {node} has met"
        raise Refused(
            "take over", dataset, reason, "hikae status on both nodes; then hikae promote on the one to serve"
        )


def _can_be_begun(epoch: Epoch, lineage: Sequence[Epoch]) -> bool:
    """Else the record of it could not be read any more, or no catalog would begin it."""
    is_whole = len(epoch.token) == TOKEN_SIZE and 0 < epoch.number < EPOCH_LIMIT
    return is_whole and all(one.token != epoch.token for one in lineage)


def require_whole(dataset: str, newest: Commit | None) -> None:
    """A place is taken over with whole files alone (law 3), whoever says otherwise. Raises ``Refused``."""
    if newest is None or not newest.consistent:
        at = shown_commit(newest.number) if newest is not None else "no commit"
        reason = f"what is here is not whole: a first sync, or a walk after a doubt, goes on (at {at})"
        raise Refused("take over", dataset, reason, f"type it again once hikae status {dataset} shows it consistent")
