"""A primary's device, followed by its pump: what is said of that, and the check that nothing is missed."""

from __future__ import annotations

from typing import Protocol

from agent.core.clock import Clock
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import UNTRACKED
from agent.node.reigning.root_watch import WatchInForce

#: Seconds between two checks of what the kernel counted against what it told.
_AUDIT_EVERY = 60.0


class AuditedPump(Protocol):
    """Of ``capture.device.pump.DevicePump``."""

    @property
    def tracker_facts(self) -> tuple[str, str, int] | None: ...

    def audit(self) -> str | None: ...


class DeviceWatch:
    """Satisfies ``FollowsSource``. ``tell_untracked`` is told at each check whether changes are missed."""

    def __init__(self, pump: AuditedPump) -> None:
        self._pump = pump
        self._due = 0.0
        self._why: str | None = None

    @property
    def in_force(self) -> WatchInForce | None:
        """See ``FollowsSource``."""
        found = self._pump.tracker_facts
        return WatchInForce(*found) if found is not None else None

    @property
    def missed(self) -> str | None:
        """Why changes are not followed; None while they are."""
        found = self._pump.tracker_facts
        return found[1] if found is not None and found[0] == "none" else self._why

    def start(self) -> None:
        """The pump follows it from its own start."""

    def tick(self, board: ProblemBoard, clock: Clock) -> None:
        """See ``FollowsSource``."""
        now = clock.monotonic()
        if now >= self._due:
            self._due = now + _AUDIT_EVERY
            self._why = self._pump.audit()
        why = self.missed
        if why is None:
            board.clear(UNTRACKED)
            return
        message = f"what changes on the device is not told: {why}; all of it is read instead"
        remedy = "hikae doctor says what this host lacks; hikae reconcile reads all of it now"
        board.put(Problem(UNTRACKED, Severity.WARNING, clock.now_ns(), b"", message, remedy))

    def close(self) -> None:
        """The pump ends it."""
