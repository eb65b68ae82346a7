"""One thing that was looked at, and how it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from agent.status.json_value import Json
from agent.status.text import shown


class Condition(StrEnum):
    """How a thing is, worst first; public strings. ``UNKNOWN``: it could not be looked at; ``INFO``: nothing is wrong, and
    something has to be known of it."""

    ERROR = "error"
    WARNING = "warning"
    UNKNOWN = "unknown"
    INFO = "info"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``name``: a stable word for what was looked at; ``message``: how it is, a sentence; ``remedy``: what to type, "" where
    nothing need be done; ``dataset``: the one that it is about, "" for the host."""

    name: str
    condition: Condition
    message: str
    remedy: str = ""
    dataset: str = ""

    @property
    def asks_for_somebody(self) -> bool:
        """Whether something has to be done."""
        return self.condition in (Condition.ERROR, Condition.WARNING)


def good(name: str, message: str, dataset: str = "") -> Diagnosis:
    """Nothing is wrong with it."""
    return Diagnosis(name, Condition.GOOD, message, "", dataset)


def worst_first(found: Iterable[Diagnosis]) -> tuple[Diagnosis, ...]:
    """By condition; within one as they were found."""
    order = list(Condition)
    return tuple(sorted(found, key=lambda one: order.index(one.condition)))


def diagnoses_json(node: str, found: Iterable[Diagnosis]) -> Json:
    """The answer of ``hikae doctor --json``."""
    rows = worst_first(found)
    return {
        "ok": not any(one.asks_for_somebody for one in rows),
        "node": node or None,
        "findings": [
            {
                "name": one.name,
                "severity": one.condition.value,
                "dataset": one.dataset or None,
                "message": shown(one.message),
                "remedy": shown(one.remedy),
            }
            for one in rows
        ],
    }
