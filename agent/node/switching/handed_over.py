"""A place that was handed over, and that the other node has not been seen to take: told until it calls as the primary."""

from __future__ import annotations

from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import HANDED_OVER, SWITCHING_OVER
from agent.generations.local_time import time_text
from agent.node.primary import Primary
from agent.node.standby import Standby
from agent.roles.record import HandedOver

#: So long after it (ns) it is no news yet: a node that lives takes its place within a second.
SOON = 5_000_000_000


def tell_handed_over(
    board: ProblemBoard, dataset: str, given: HandedOver | None, side: Primary | Standby | None, now_ns: int
) -> None:
    """``given``: to whom this node gave its place, by its record. Says so while that one's reign is not known here."""
    if given is None or side is None or not is_unheard(given, side) or now_ns - given.since < SOON:
        board.clear(HANDED_OVER)
        return
    # That is why the switchover did not end, and is true for longer than anybody remembers how it failed.
    board.clear(SWITCHING_OVER)
    board.put(unheard(dataset, given, now_ns))


def is_unheard(given: HandedOver, side: Primary | Standby) -> bool:
    """Whether the node that was given the place has not called in that reign, or a later one."""
    return isinstance(side, Standby) and side.epoch < given.number


def unheard(dataset: str, given: HandedOver, now_ns: int) -> Problem:
    """What is known, and what leads out of it."""
    to = given.to
    message = (
        f"{dataset} was handed over to {to} at {time_text(given.since)}, and {to} has not called as its primary since: "
        f"unless {to} serves it, nobody does"
    )
    remedy = (
        f"look at {to}: hikae status there; once its agent is reached, here: hikae switchover {dataset} asks it again; "
        f"if {to} does not come back, here: hikae promote {dataset} --force"
    )
    return Problem(HANDED_OVER, Severity.ERROR, now_ns, b"", message, remedy)
