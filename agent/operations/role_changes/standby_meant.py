"""Which of a dataset's standbys is meant: the one that was named, or the only one that there is."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.errors import NotFound, UsageError
from agent.operations.running import DatasetCall
from agent.status.text import shown


@dataclass(frozen=True, slots=True)
class StandbyWords:
    """For people: ``what`` each of them keeps, what is so of each of several (``may_be``), and the ``option`` that names one."""

    what: str
    may_be: str
    option: str


def standby_meant(call: DatasetCall, asked: str, operation: str, words: StandbyWords) -> str:
    """The name of the node. Raises ``NotFound`` for one that keeps none, ``UsageError`` where one has to be named."""
    standbys = call.member.assigned.standbys
    if asked and asked not in standbys:
        known = ", ".join(standbys) or "none"
        raise NotFound("find the node", shown(asked), f"these keep {words.what} of {call.dataset}: {known}")
    if not asked and len(standbys) != 1:
        where = " or ".join(standbys) or "no node"
        raise UsageError(operation, call.dataset, f"{where} {words.may_be}", f"say which: {words.option} NODE")
    return asked or standbys[0]
