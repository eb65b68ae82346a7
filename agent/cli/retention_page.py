"""What people read of rules that keep generations: what goes, why the others stay, and a calendar of years to come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from agent.cli.output import answer_json, remark, say
from agent.operations.declaration import Json
from agent.status.figures import size_text
from agent.status.text import shown

_NAME = 20
#: More on one day are shown as this.
_MANY = 9
_DAYS = 31


def counted_generations(count: int) -> str:
    """``3 generations``."""
    return "1 generation" if count == 1 else f"{count:,} generations"


def say_plan(dataset: str, plan: Json, dry_run: bool, tell: Callable[[str], None]) -> None:
    """What goes, and of a dry run why each other stays; by ``tell``."""
    for one in plan["stays"] if dry_run else ():
        tell(f"stays  {one['generation']:<{_NAME}}{one['why']}{_label(one)}")
    for one in plan["goes"]:
        tell(f"goes   {one['generation']:<{_NAME}}{one['why']}{_label(one)}")
    if any(_label(one) for one in plan["goes"]):
        remark(f"  a label alone keeps none: hikae generations pin {dataset} GENERATION does, or labels of keep")
    if not plan["goes"]:
        tell(f"{dataset}: nothing would go")
    elif plan["bytes"]:
        tell(f"{dataset}: the next collection then frees about {size_text(plan['bytes'])} of the vault")


def _label(one: Json) -> str:
    return f" ({shown(one['label'])})" if one.get("label") else ""


def say_simulation(dataset: str, answer: Json, as_json: bool) -> None:
    """A line for each month that has generations, with their number on each of its days."""
    if as_json:
        answer_json(answer)
        return
    kept = [datetime.fromisoformat(one["time"]).astimezone() for one in answer["simulated"]]
    if not kept:
        say(f"{dataset}: the schedule is {answer['schedule']!r}: no generation comes by itself, and none is kept")
        return
    until = datetime.fromisoformat(answer["until"]).astimezone()
    count = counted_generations(len(kept))
    say(f"{dataset}: after three years of {answer['schedule']!r}, on {until:%Y-%m-%d}, {count} are kept")
    by_rule = Counter(why.split(" ")[0] for one in answer["simulated"] for why in one["why"].split("; "))
    say(f"  {', '.join(f'{rule} {number:,}' for rule, number in by_rule.items())}")
    say("         1   5    10   15   20   25   30")
    for line in _months(kept):
        say(line)
    if answer.get("more"):
        remark("these are the newest that would be kept; there would be older ones too")
    remark(f"each figure: how many of that day; + for more than {_MANY}")


def _months(kept: list[datetime]) -> list[str]:
    days: dict[str, Counter[int]] = {}
    for one in kept:
        days.setdefault(f"{one:%Y-%m}", Counter())[one.day] += 1
    return [
        f"{month}  {''.join(_cell(counted[day]) for day in range(1, _DAYS + 1))}" for month, counted in days.items()
    ]


def _cell(count: int) -> str:
    return "·" if not count else str(count) if count <= _MANY else "+"
