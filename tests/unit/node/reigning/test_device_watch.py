"""What is said of a device whose changes are, or are not, told."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.clock import ManualClock
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import UNTRACKED
from agent.node.reigning.device_watch import DeviceWatch
from agent.node.reigning.root_watch import WatchInForce


@dataclass
class ToldPump:
    """A pump whose tracker is of this kind; ``missed``: what an audit finds; ``audits``: so many there were."""

    kind: str = "blocktrace"
    missed: str | None = None
    audits: int = 0

    @property
    def tracker_facts(self) -> tuple[str, str, int] | None:
        """See ``AuditedPump``."""
        return self.kind, "so it is", 0

    def audit(self) -> str | None:
        """See ``AuditedPump``."""
        self.audits += 1
        return self.missed


def told(board: ProblemBoard) -> list[str]:
    """The codes that stand on it."""
    return [one.code for one in board.listed()[0]]


def test_withheld_events_are_told_within_two_minutes() -> None:
    """The accounts are compared each minute, and no more often; once they agree again nothing is said."""
    pump, board, clock = ToldPump(), ProblemBoard(), ManualClock()
    watch = DeviceWatch(pump)
    watch.tick(board, clock)
    pump.missed = "the disk counted more than was told"
    found = [told(board)]
    for _ in range(119):
        clock.advance(1.0)
        watch.tick(board, clock)
    found.append(told(board))
    pump.missed = None
    clock.advance(60.0)
    watch.tick(board, clock)
    assert ([[], [UNTRACKED]], [], 3) == (found, told(board), pump.audits)


def test_what_cannot_be_traced_is_told_at_once() -> None:
    """No audit is waited for, and which tracker is in force is in status."""
    pump, board, clock = ToldPump(), ProblemBoard(), ManualClock()
    watch = DeviceWatch(pump)
    watch.tick(board, clock)
    pump.kind = "none"
    watch.tick(board, clock)
    assert ([UNTRACKED], WatchInForce("none", "so it is", 0)) == (told(board), watch.in_force)
