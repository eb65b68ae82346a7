"""What the steps of a switchover share on either node: the dataset, its open side, hooks, and an end in the middle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from agent.config.values import Dataset
from agent.core.errors import CalledOff, TryAgain
from agent.core.problem import ProblemBoard
from agent.node.context import Surroundings
from agent.node.primary import Primary
from agent.node.reigning.serving import ReignHooks
from agent.node.standby import Standby
from agent.node.stepped import SteppedRun
from agent.roles.assignment import Assignment
from agent.roles.record import RoleRecord
from agent.status.state import Role
from agent.steps.hooks import HookPlace, HookResult, HookRunner

T = TypeVar("T")
STEP = 0.05


class SwitchedMember(Protocol):
    """The dataset that changes sides (``node.member.Member``). Any thread."""

    dataset: Dataset
    assigned: Assignment
    board: ProblemBoard
    serving: ReignHooks

    @property
    def role(self) -> Role: ...

    @property
    def node(self) -> str: ...

    @property
    def side(self) -> Primary | Standby | None: ...

    def take_role(self, record: RoleRecord) -> None:
        """See ``Member.take_role``."""
        ...

    def reopen(self) -> None:
        """See ``Member.reopen``."""
        ...


class SwitchedNode:
    """One node of it. ``operation``: what is under way, for people; ``run`` is told the step."""

    def __init__(
        self, member: SwitchedMember, around: Surroundings, run: SteppedRun, operation: str, reason: str
    ) -> None:
        self.member = member
        self.around = around
        self._run = run
        self._operation = operation
        self._reason = reason

    @property
    def name(self) -> str:
        """The dataset's."""
        return self.member.dataset.name

    def run_hook(self, name: str) -> HookResult:
        """Run it, if there is one. Raises ``HookFailed``, ``CalledOff``."""
        self.begin(name)
        side = self.member.side
        epoch = side.reign.epoch.number if isinstance(side, Primary) else side.epoch if side is not None else 0
        place = HookPlace(self.name, self.member.node, self.member.role.value, epoch, self._reason or self._operation)
        return HookRunner(self._run.ending.is_set).run(self.member.dataset.hooks, name, place)

    def begin(self, step: str) -> None:
        """A step begins."""
        self._run.doing = step
        self.look()

    def look(self) -> None:
        """Raises ``CalledOff`` once the agent is to end."""
        if self._run.ending.is_set():
            raise CalledOff(self._operation, self.name, "the agent stops", "it goes on when the agent is back")

    def pause(self, seconds: float = STEP) -> None:
        """Wait a moment. Raises as :meth:`look`."""
        self._run.ending.wait(seconds)
        self.look()

    def until(self, found: Callable[[], T | None], patience: float, waits_for: str) -> T:
        """What ``found`` gives that is not None. Raises ``TryAgain`` after so many seconds."""
        end = self.around.clock.monotonic() + patience
        while (value := found()) is None:
            if self.around.clock.monotonic() >= end:
                raise TryAgain(self._operation, self.name, f"{waits_for} did not come within {patience:.0f} s")
            self.pause()
        return value

    @property
    def stopping(self) -> threading.Event:
        """Set once the agent is to end."""
        return self._run.ending
