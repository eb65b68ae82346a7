"""What rules would keep after years of a schedule. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import tzinfo

from agent.config.values import Generations
from agent.core.ids import NOTHING
from agent.generations.naming import generation_name
from agent.generations.retention import RetentionMoment, judged_generations
from agent.generations.schedule import moments_of_schedule
from agent.store.catalog.generation import Cause, Generation

_SECOND = 10**9
#: So many moments are looked at, the newest: more than an hourly schedule has in three years.
_MOST = 30_000


@dataclass(frozen=True, slots=True)
class KeptLater:
    """A generation that would be there then: ``taken`` (UTC ns) and why it stays."""

    taken: int
    why: tuple[str, ...]


def kept_after_years(rules: Generations, now: int, end: int, zone: tzinfo | None = None) -> list[KeptLater]:
    """What stays at ``end`` when the schedule has been followed since ``now`` (UTC ns), the oldest first; no pins or labels."""
    taken = deque(moments_of_schedule(rules.schedule, now, end, zone), _MOST) if rules.schedule != "none" else deque()
    immutable = (rules.immutable_for or 0) * _SECOND
    generations = [_scheduled(moment, immutable) for moment in taken]
    verdicts = judged_generations(generations, rules.keep, RetentionMoment(end, zone))
    return [KeptLater(one.generation.taken, one.stays) for one in verdicts if not one.goes]


def _scheduled(moment: int, immutable: int) -> Generation:
    name = generation_name(moment, ())
    until = moment + immutable if immutable else 0
    return Generation(name, NOTHING, moment, moment, Cause.SCHEDULE, immutable_until=until)
