"""What the steps of a switchover share on either node: the dataset, its open side, hooks, and an end in the middle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from agent.core.errors import CalledOff, TryAgain
from agent.core.problem import ProblemBoard
from agent.node.context import Surroundings
from agent.node.stepping.hooks_in_steps import HookedMember, HooksInSteps
from agent.node.stepping.stepped import SteppedRun
from agent.roles.assignment import Assignment
from agent.roles.record import RoleRecord
from agent.steps.hooks import HookResult

T = TypeVar("T")
STEP = 0.05


class SwitchedMember(HookedMember, Protocol):
    """The dataset that changes sides (``node.member.Member``). Any thread."""

    assigned: Assignment
    board: ProblemBoard

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
        self.hooks = HooksInSteps(member, run.ending, reason or operation)

    @property
    def name(self) -> str:
        """The dataset's."""
        return self.member.dataset.name

    def run_hook(self, name: str) -> HookResult:
        """Run it, if there is one. Raises ``HookFailed``, ``CalledOff``."""
        self.begin(name)
        return self.hooks.run(name)

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
