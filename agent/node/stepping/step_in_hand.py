"""The step that a list of recorded steps is at: how it waits, and how it ends where the agent is to end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from agent.core.errors import CalledOff, TryAgain
from agent.core.problem import ProblemBoard
from agent.node.stepping.stepped import SteppedRun
from agent.roles.record import RoleRecord

T = TypeVar("T")


class ChangesRole(Protocol):
    """A dataset whose role steps change (``node.member.Member``). Any thread."""

    board: ProblemBoard

    def take_role(self, record: RoleRecord) -> None:
        """From now on this node is what the record says, durably; the side that is open is closed, and opened as that. Raises
        ``StoreFailed``, ``TryAgain``, ``CalledOff``."""
        ...

    def reopen(self) -> None:
        """Close the side that is open and open it anew. Raises ``CalledOff`` when the dataset is to rest."""
        ...


class StepInHand:
    """Of one run, which is told the step. ``operation``: what is under way, for people; ``seconds``: how long one wait lasts."""

    def __init__(self, run: SteppedRun, operation: str, dataset: str, seconds: float) -> None:
        self._run = run
        self._operation = operation
        self._dataset = dataset
        self._seconds = seconds

    @property
    def stopping(self) -> threading.Event:
        """Set once the agent is to end."""
        return self._run.ending

    def begin(self, step: str) -> None:
        """A step begins. Raises as :meth:`look`."""
        self._run.doing = step
        self.look()

    def look(self) -> None:
        """Raises ``CalledOff`` once the agent is to end."""
        if self._run.ending.is_set():
            raise CalledOff(self._operation, self._dataset, "the agent stops", "it goes on when the agent is back")

    def pause(self, seconds: float | None = None) -> None:
        """Wait a moment. Raises as :meth:`look`."""
        self._run.ending.wait(self._seconds if seconds is None else seconds)
        self.look()

    def found(self, look_for: Callable[[], T | None]) -> T:
        """What ``look_for`` gives that is not None, waited for. Raises as :meth:`look`."""
        while (value := look_for()) is None:
            self.pause()
        return value

    def answered(self, ask: Callable[[float], T], judge: Callable[[], None]) -> T:
        """``ask(seconds)``, again until it does not raise ``TryAgain``; ``judge`` is called in between, and raises what no answer
        will come for. Raises ``CalledOff`` for what nobody will answer."""
        while True:
            self.look()
            try:
                return ask(self._seconds)
            except CalledOff:
                raise
            except TryAgain:
                judge()
