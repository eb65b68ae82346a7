"""Which generations stay, and why each does. Pure: what is kept, the rules, and the time by the retention clock go in.

A rule of a calendar unit keeps the newest generation of each of its newest units that have one: ``daily = 30`` the last one of 30
days. Days are those of local time, by the moment at which the retention clock dated them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from fnmatch import fnmatchcase

from agent.config.values import Keep
from agent.core.ids import CommitNumber
from agent.generations.local_time import time_text
from agent.store.catalog.generation import Cause, Generation

_SECOND = 10**9
#: What was kept because something was about to go stays so long, whatever the rules say (ns).
BEFORE_STAYS = 7 * 86_400 * _SECOND
_Unit = Callable[[datetime], tuple[object, ...]]
#: The units of the calendar, each nested in the next but for weeks in months.
UNITS: dict[str, _Unit] = {
    "hourly": lambda day: (day.date(), day.hour, day.utcoffset()),
    "daily": lambda day: (day.date(),),
    "weekly": lambda day: day.isocalendar()[:2],
    "monthly": lambda day: (day.year, day.month),
    "yearly": lambda day: (day.year,),
}
NO_RULE = "no rule is given: all stay"


@dataclass(frozen=True, slots=True)
class RetentionMoment:
    """``now``: by the retention clock (ns); ``zone``: of days and hours, None: this machine's; ``read``: commits that somebody
    reads; ``behind``: how much later it is by the clock that people look at (ns)."""

    now: int
    zone: tzinfo | None = None
    read: Collection[CommitNumber] = ()
    behind: int = 0


@dataclass(frozen=True, slots=True)
class RetentionVerdict:
    """Of one generation. ``stays``: everything that keeps it; nothing: it goes."""

    generation: Generation
    stays: tuple[str, ...]

    @property
    def goes(self) -> bool:
        """Whether nothing keeps it."""
        return not self.stays

    @property
    def why(self) -> str:
        """In words."""
        return "; ".join(self.stays) if self.stays else "no rule keeps it"


def judged_generations(generations: Sequence[Generation], rules: Keep, at: RetentionMoment) -> list[RetentionVerdict]:
    """The verdict on each, in the order in which they are given: the oldest first."""
    by_rule = _kept_by_rules(generations, rules, at.zone)
    return [RetentionVerdict(one, (*_held(one, rules, at), *by_rule.get(one.name, ()))) for one in generations]


def _held(one: Generation, rules: Keep, at: RetentionMoment) -> list[str]:
    """What keeps a generation whatever others there are."""
    held = ["pinned"] if one.pinned else []
    if one.immutable_until > at.now:
        held.append(f"immutable until {time_text(one.immutable_until + at.behind, at.zone)}")
    if one.number in at.read:
        held.append("it is being read")
    if one.label and any(fnmatchcase(one.label, pattern) for pattern in rules.labels):
        held.append(f"labelled {one.label}")
    if one.cause in (Cause.BEFORE, Cause.BRAKE) and at.now - one.dated < BEFORE_STAYS:
        held.append("taken before something was overwritten: a week")
    if not has_rules(rules):
        held.append(NO_RULE)
    return held


def releases(generations: Sequence[Generation], rules: Keep, history: int) -> list[tuple[int, Generation]]:
    """When each generation that no rule keeps may go: ``(by the retention clock, generation)``, the first one first. That moment
    is past its promise and past ``history`` (ns), within which it costs nothing. What somebody reads is not looked at."""
    if not has_rules(rules):
        return []
    by_rule, held = _kept_by_rules(generations, rules, None), RetentionMoment(1 << 63)
    free = [one for one in generations if one.name not in by_rule and not _held(one, rules, held)]
    return sorted(((_released(one, history), one) for one in free), key=lambda release: release[0])


def _released(one: Generation, history: int) -> int:
    before = one.dated + BEFORE_STAYS if one.cause in (Cause.BEFORE, Cause.BRAKE) else 0
    return max(one.immutable_until, before, one.dated + history + 1)


def has_rules(rules: Keep) -> bool:
    """Whether any rule says what is to stay; where none does, nothing goes."""
    return bool(rules.last or rules.labels or any(getattr(rules, unit) for unit in UNITS))


def _kept_by_rules(generations: Sequence[Generation], rules: Keep, zone: tzinfo | None) -> dict[str, list[str]]:
    """What the counting rules keep, with their words, by name: among all, and of what the schedule took among those alone.
    Whoever has the primary's credentials may ask for generations, and must not push out with them what the schedule took."""
    scheduled = [one for one in generations if one.cause is Cause.SCHEDULE]
    kept = _counted(generations, rules, zone)
    if len(scheduled) < len(generations):
        for name, words in _counted(scheduled, rules, zone).items():
            kept.setdefault(name, [f"{word} by schedule" for word in words])
    return kept


def _counted(generations: Sequence[Generation], rules: Keep, zone: tzinfo | None) -> dict[str, list[str]]:
    kept: dict[str, list[str]] = {}
    newest_first = generations[::-1]
    for place, one in enumerate(newest_first[: rules.last], 1):
        kept.setdefault(one.name, []).append(f"last {place} of {rules.last}")
    days = [datetime.fromtimestamp(one.dated // _SECOND, UTC).astimezone(zone) for one in newest_first]
    for rule, unit in UNITS.items():
        for place, one in enumerate(_newest_of_each(newest_first, days, unit, getattr(rules, rule)), 1):
            kept.setdefault(one.name, []).append(f"{rule} {place} of {getattr(rules, rule)}")
    return kept


def _newest_of_each(
    newest_first: Sequence[Generation], days: Sequence[datetime], unit: _Unit, count: int
) -> list[Generation]:
    found: list[Generation] = []
    passed: set[tuple[object, ...]] = set()
    for one, day in zip(newest_first, days, strict=True):
        if len(found) == count:
            break
        if (bucket := unit(day)) not in passed:
            passed.add(bucket)
            found.append(one)
    return found
