"""Why what is written may never be captured: a step that waits for it fails then, so that what serves goes on."""

from __future__ import annotations

from agent.core.errors import Refused
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import STATE_DISK_FULL, STATE_DISK_RESERVE, UNREADABLE
from agent.node.primary import Primary

#: Problems of a whole dataset during which nothing is captured.
_NOT_CAPTURED = frozenset({STATE_DISK_FULL, STATE_DISK_RESERVE, UNREADABLE})


def require_captured(operation: str, side: Primary, board: ProblemBoard, long_ago: int) -> None:
    """``long_ago``: UTC ns; what has stood since then is not about to go by itself. Raises ``Refused`` while a person has to do
    something before anything is captured."""
    name, hold = side.dataset.name, side.facts().hold
    if hold is not None:
        raise Refused(operation, name, hold.sentence, hold.remedy)
    for problem in board.listed()[0]:
        if problem.code in _NOT_CAPTURED and not problem.path and problem.since <= long_ago:
            raise Refused(operation, name, problem.message, problem.remedy)
