"""The operator's programs that lists of steps run. What begins the application runs only where this node may serve (law 7).

A list goes on after a crash, and another node may have been promoted in between: each such program is decided upon anew.
"""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import Protocol

from agent.config.values import Dataset
from agent.core.errors import CalledOff
from agent.node.primary import Primary
from agent.node.reigning.serving import START, ReignHooks
from agent.node.standby import Standby
from agent.status.state import Role
from agent.steps.hooks import HookPlace, HookResult, HookRunner, not_run

_BEGIN = frozenset({START, "after_promote"})
#: Ends what serves.
_STOP = "stop"
_STEP = 0.05


class HookedMember(Protocol):
    """The dataset whose hooks they are (``node.member.Member``). Any thread."""

    dataset: Dataset
    serving: ReignHooks

    @property
    def role(self) -> Role: ...

    @property
    def node(self) -> str: ...

    @property
    def side(self) -> Primary | Standby | None: ...


class HooksInSteps:
    """Of one list that is under way; ``ending``: set once the agent is to end; ``reason``: what the programs are told."""

    def __init__(self, member: HookedMember, ending: threading.Event, reason: str) -> None:
        self._member = member
        self._ending = ending
        self._reason = reason

    def run(self, name: str) -> HookResult:
        """Run it, if there is one; one that begins the application is not run where that must not be, and the result says why.
        Raises ``HookFailed``, ``CalledOff``."""
        withheld = self._withheld() if name in _BEGIN else ""
        if withheld:
            return not_run(name, withheld)
        side = self._member.side
        with side.pump.undisturbed() if name == _STOP and isinstance(side, Primary) else nullcontext():
            result = HookRunner(self._ending.is_set).run(self._member.dataset.hooks, name, self._place())
        if name == START and result.failure is None:
            self._member.serving.was_started(self._epoch())
        return result

    def until_confirmed(self) -> None:
        """Wait while nobody has said that this primary may serve; an operator's word, or a fencing, ends that too. Raises
        ``CalledOff``."""
        while isinstance(side := self._opened(), Primary) and side.reign.mark is None and side.unconfirmed_by():
            self._pause()

    def _withheld(self) -> str:
        side = self._opened()
        return side.start_withheld() if isinstance(side, Primary) else "this node keeps the standby"

    def _opened(self) -> Primary | Standby:
        """The open side, waited for: after a crash it is opened first."""
        while (side := self._member.side) is None:
            self._pause()
        return side

    def _pause(self) -> None:
        if self._ending.wait(_STEP):
            name = self._member.dataset.name
            raise CalledOff("run a hook", name, "the agent stops", "it goes on when the agent is back")

    def _epoch(self) -> int:
        side = self._member.side
        if isinstance(side, Primary):
            return side.reign.epoch.number
        return side.epoch if side is not None else 0

    def _place(self) -> HookPlace:
        member = self._member
        return HookPlace(member.dataset.name, member.node, member.role.value, self._epoch(), self._reason)
