"""What stands in the way of a command and is ended by a person only. Read off the running side; nothing is kept here."""

from __future__ import annotations

from agent.capture.committer import DISK_FULL
from agent.capture.reports import UNREADABLE
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.fs.reserve import CODE as RESERVE
from agent.node.patience import Obstacle
from agent.node.pauses import SEND, Pauses
from agent.node.primary import Primary
from agent.node.tended import NOT_RUNNING
from agent.stream.link import is_for_a_person

#: Problems of a whole dataset during which nothing is captured.
_CAPTURE_WAITS = (DISK_FULL, RESERVE, UNREADABLE)


def of_capture(side: Primary, board: ProblemBoard) -> Obstacle | None:
    """Why nothing is captured for now."""
    hold = side.facts().hold
    codes = (hold.value,) if hold is not None else _CAPTURE_WAITS
    return _told(board, side.dataset.name, codes)


def of_opening(board: ProblemBoard, dataset: str) -> Obstacle | None:
    """Why a dataset is not open."""
    return _told(board, dataset, (NOT_RUNNING,))


def of_peer(side: Primary, peer: str, pauses: Pauses, asked_ns: int) -> Obstacle | None:
    """Why nothing more reaches a peer. It is asked again at once: what it refused before ``asked_ns``
    (UTC ns) may have been mended, and what it refuses now may be soon."""
    name = side.dataset.name
    if side.mark is not None and not side.goes_on:
        return Obstacle(side.mark.sentence, "hikae status says what leads out of it")
    if SEND in (paused := pauses.until_ns()) and paused[SEND] is None:
        return Obstacle(f"sending to {peer} is paused until it is resumed", f"hikae resume {name}")
    link = side.links[peer][0]
    refused = link.state().error
    if refused is None or not is_for_a_person(refused.code):
        return None
    link.dial_now()
    return _obstacle(refused, name) if refused.since >= asked_ns else None


def _told(board: ProblemBoard, dataset: str, codes: tuple[str, ...]) -> Obstacle | None:
    for problem in board.listed()[0]:
        if problem.code in codes and not problem.path and problem.severity is not Severity.INFO:
            return _obstacle(problem, dataset)
    return None


def _obstacle(problem: Problem, dataset: str) -> Obstacle:
    # Some messages end with what to do.
    sentence = problem.message.removesuffix(f"; {problem.remedy}") if problem.remedy else problem.message
    return Obstacle(sentence, problem.remedy.replace("DATASET", dataset))
