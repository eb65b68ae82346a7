"""What the steps of a switchover share on either node: the dataset, its open side, hooks, and an end in the middle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from agent.core.errors import TryAgain
from agent.node.context import Surroundings
from agent.node.stepping.hooks_in_steps import HookedMember, HooksInSteps
from agent.node.stepping.step_in_hand import ChangesRole, StepInHand
from agent.node.stepping.stepped import SteppedRun
from agent.roles.assignment import Assignment
from agent.steps.hooks import HookResult

T = TypeVar("T")
STEP = 0.05


class SwitchedMember(HookedMember, ChangesRole, Protocol):
    """The dataset that changes sides (``node.member.Member``). Any thread."""

    assigned: Assignment


class SwitchedNode(StepInHand):
    """One node of it. ``operation``: what is under way, for people; ``run`` is told the step."""

    def __init__(
        self, member: SwitchedMember, around: Surroundings, run: SteppedRun, operation: str, reason: str
    ) -> None:
        super().__init__(run, operation, member.dataset.name, STEP)
        self.member = member
        self.around = around
        self.hooks = HooksInSteps(member, run.ending, reason or operation)

    @property
    def name(self) -> str:
        """The dataset's."""
        return self.member.dataset.name

    def run_hook(self, name: str) -> HookResult:
        """Run it, if there is one. Raises ``HookFailed``, ``CalledOff``."""
        self.begin(name)
        return self.hooks.run(name)

    def until(self, found: Callable[[], T | None], patience: float, waits_for: str) -> T:
        """What ``found`` gives that is not None. Raises ``TryAgain`` after so many seconds."""
        end = self.around.clock.monotonic() + patience
        while (value := found()) is None:
            if self.around.clock.monotonic() >= end:
                raise TryAgain(self._operation, self.name, f"{waits_for} did not come within {patience:.0f} s")
            self.pause()
        return value
