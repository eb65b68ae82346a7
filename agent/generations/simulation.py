"""What rules would keep after years of a schedule. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from agent.config.values import Generations
from agent.core.ids import NOTHING
from agent.generations.naming import generation_name
from agent.generations.retention import UNITS, RetentionMoment, has_rules, judged_generations
from agent.generations.schedule import due_since
from agent.store.catalog.generation import Cause, Generation

_SECOND = 10**9
#: So many that stay are told, the newest: a bound where no rule is given, so that all would.
MOST_TOLD = 50_000


@dataclass(frozen=True, slots=True)
class KeptLater:
    """A generation that would be there then: ``taken`` (UTC ns) and why it stays."""

    taken: int
    why: tuple[str, ...]


def kept_after_years(
    rules: Generations, now: int, end: int, zone: tzinfo | None = None, most: int = MOST_TOLD
) -> tuple[list[KeptLater], bool]:
    """What stays at ``end`` when the schedule has been followed since ``now`` (UTC ns), the oldest first; no pins or labels. At
    most the newest ``most`` of them, and whether there are more."""
    immutable = (rules.immutable_for or 0) * _SECOND
    newest_first: list[Generation] = []
    is_cut = False
    for moment in _that_may_stay(rules, now, end, zone):
        if is_cut := len(newest_first) >= most:
            break
        newest_first.append(_scheduled(moment, immutable))
    verdicts = judged_generations(newest_first[::-1], rules.keep, RetentionMoment(end, zone))
    return [KeptLater(one.generation.taken, one.stays) for one in verdicts if not one.goes], is_cut


def _that_may_stay(rules: Generations, begin: int, end: int, zone: tzinfo | None) -> Iterator[int]:
    """The moments of the schedule (UTC ns), the newest first, but for those that no rule can keep: past what ``last`` and the
    promise keep one of each hour is enough, and past the hours that are kept one of each day, in which all other units are whole.
    So of three years there are not many more than stay."""
    keep, promised = rules.keep, end - (rules.immutable_for or 0) * _SECOND
    count, hours = 0, set[tuple[object, ...]]()
    cursor = end
    while rules.schedule != "none" and (moment := due_since(rules.schedule, begin, cursor, zone)) is not None:
        yield moment
        count += 1
        hours.add(UNITS["hourly"](_local(moment, zone)))
        cursor = moment - _SECOND
        if has_rules(keep) and moment <= promised and count >= keep.last:
            cursor = _before_hour(moment, zone)
            if len(hours) >= keep.hourly:
                cursor = _before_day(moment, zone) or cursor


def _before_hour(moment: int, zone: tzinfo | None) -> int:
    """The end of the hour before, or a second before ``moment`` where clocks were set within the hour."""
    local = _local(moment, zone)
    return _before(moment, local.minute * 60 + local.second, "hourly", zone) or moment - _SECOND


def _before_day(moment: int, zone: tzinfo | None) -> int | None:
    """The end of the day before; None where clocks were set within the day."""
    local = _local(moment, zone)
    return _before(moment, local.hour * 3600 + local.minute * 60 + local.second, "daily", zone)


def _before(moment: int, seconds: int, rule: str, zone: tzinfo | None) -> int | None:
    """A second before what is ``seconds`` before ``moment``, where that is of the same unit."""
    begin, unit = moment - seconds * _SECOND, UNITS[rule]
    return begin - _SECOND if unit(_local(begin, zone)) == unit(_local(moment, zone)) else None


def _local(ns: int, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(ns // _SECOND, UTC).astimezone(zone)


def _scheduled(moment: int, immutable: int) -> Generation:
    name = generation_name(moment, ())
    until = moment + immutable if immutable else 0
    return Generation(name, NOTHING, moment, moment, Cause.SCHEDULE, immutable_until=until)
