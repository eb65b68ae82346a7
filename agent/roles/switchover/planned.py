"""A switchover at a time that was named: durable, shown, and called off in words."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from agent.core.errors import StoreFailed, UsageError
from agent.fs.durable import sync_dir, write_durably
from agent.generations.local_time import exact_text, time_from
from agent.roles.switchover.steps import WantedSwitchover, switchover_in

PLAN = "switchover-planned.json"
_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
#: So late (ns) it is still what was meant; after that nobody is there who expects it.
LATE = 600 * _SECOND
#: Nothing is planned further ahead (ns).
_FURTHEST = 366 * _DAY


@dataclass(frozen=True, slots=True)
class PlannedSwitchover:
    """``at``: UTC ns by this node's clock; ``uid``: of who typed it here, None where it was typed elsewhere."""

    at: int
    wanted: WantedSwitchover
    uid: int | None = None


class PlanStanding(Enum):
    """What is to be done about a plan now."""

    LATER = auto()
    NOW = auto()
    #: The agent did not run at its time, or the clock was set.
    MISSED = auto()


def due(plan: PlannedSwitchover, now: int) -> PlanStanding:
    """``now``: UTC ns."""
    if now < plan.at:
        return PlanStanding.LATER
    return PlanStanding.NOW if now - plan.at <= LATE else PlanStanding.MISSED


def planned_time(text: str, now: int) -> int:
    """The moment (UTC ns) that is meant, ``02:00`` being the next one. Raises ``UsageError`` for what is none, or not to come."""
    at = time_from(text, now)
    if at <= now:
        at = time_from(text, now + _DAY)
    if not now < at <= now + _FURTHEST:
        raise UsageError("plan a switchover", text, "it is not to come within a year", 'write it like "02:00"')
    return at


def zoned_plan(text: str, now: int) -> str:
    """What an operator typed, so that it means the same where clocks show another time. Raises ``UsageError``."""
    return exact_text(planned_time(text, now)) if text else ""


def read_plan(home: Path) -> PlannedSwitchover | None:
    """The plan; None where there is none, or none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads((home / PLAN).read_text())
        uid = found.get("uid")
        return PlannedSwitchover(
            int(found["at"]), switchover_in(found["wanted"]), int(uid) if uid is not None else None
        )
    return None


def write_plan(home: Path, plan: PlannedSwitchover | None) -> None:
    """Keep it durably; None: there is none any more. Raises ``StoreFailed``."""
    try:
        if plan is None:
            (home / PLAN).unlink(missing_ok=True)
            sync_dir(str(home))
        else:
            found = {"at": plan.at, "wanted": plan.wanted.as_facts(), "uid": plan.uid}
            write_durably(str(home / PLAN), json.dumps(found).encode() + b"\n")
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreFailed("plan a switchover", str(home), reason, "free space in the state directory") from error
