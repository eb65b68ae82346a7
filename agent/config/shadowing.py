"""Rules of ``keep`` that others shadow: they keep no generation that another rule would not keep anyway. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from cronsim import CronSim

from agent.config.values import Generations

#: Hours of the longest unit of each rule. ``last`` counts what is taken on demand too, so nobody can tell.
_HOURS = {"hourly": 1, "daily": 24, "weekly": 7 * 24, "monthly": 31 * 24, "yearly": 366 * 24}
#: A week's last day is not a month's: of these two neither keeps what the other does.
_APART = {("weekly", "monthly"), ("weekly", "yearly")}
_LOOKED_AT = 200
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Rule:
    """``unit``: hours between what it keeps, at least those between two generations; ``reach``: so far back it keeps."""

    name: str
    unit: float
    reach: float


def shadowed_rules(generations: Generations) -> Iterator[tuple[str, str]]:
    """``(rule, the one that keeps all that it keeps)``. Without a schedule nobody can tell."""
    if generations.schedule == "none":
        return
    between = _hours_between(generations.schedule)
    rules = [_rule(name, count, between) for name in _HOURS if (count := getattr(generations.keep, name))]
    for one in rules:
        by = next((other for other in rules if other is not one and _shadows(other, one, rules, between)), None)
        if by is not None:
            yield one.name, by.name


def _rule(name: str, count: int, between: float) -> _Rule:
    unit = max(_HOURS[name], between)
    return _Rule(name, unit, unit * count)


def _shadows(by: _Rule, one: _Rule, rules: list[_Rule], between: float) -> bool:
    """Whether all that ``one`` keeps is kept by another; of two that keep the same it is the later one."""
    if by.unit > one.unit or by.reach < one.reach:
        return False
    if one.unit > between and (by.name, one.name) in _APART:
        return False
    return (by.unit, by.reach) != (one.unit, one.reach) or rules.index(by) < rules.index(one)


def _hours_between(line: str) -> float:
    """Between two moments of a cron line, on the average."""
    moments = list(islice(CronSim(line, _SOME_DAY), _LOOKED_AT))
    if len(moments) < 2:
        return float(_HOURS["yearly"])
    return (moments[-1] - moments[0]).total_seconds() / 3600 / (len(moments) - 1)
