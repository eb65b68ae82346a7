"""What stands in the way of a command and is ended by a person only. Read off the running side; nothing is kept here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.core.hold import OF_COMMIT
from agent.core.problem import Problem, ProblemBoard, ProblemCode, Severity
from agent.core.problem_codes import (
    APPLY_FAILED,
    APPLY_STOPPED,
    DISK_RESERVE,
    NOT_RUNNING,
    PASSING,
    STANDBY_DISK_FULL,
    STATE_DISK_FULL,
    STATE_DISK_RESERVE,
    UNREADABLE,
)
from agent.core.standing import PeerStanding, Standing
from agent.node.pauses import APPLY, SEND
from agent.operations.patience import Obstacle
from agent.stream.position import Level

if TYPE_CHECKING:
    from agent.node.pauses import Pauses
    from agent.node.primary import Primary
    from agent.status.facts import DatasetFacts

#: Problems of a whole dataset during which nothing is captured.
_CAPTURE_WAITS = (STATE_DISK_FULL, STATE_DISK_RESERVE, UNREADABLE)

#: Problems of a standby during which nothing counts as applied.
_NOT_APPLIED = (STANDBY_DISK_FULL, APPLY_STOPPED, APPLY_FAILED)

#: Problems of a whole dataset during which a change of its role waits.
_STEPS_WAIT = (NOT_RUNNING, STATE_DISK_FULL, *_NOT_APPLIED)


def of_capture(side: Primary, board: ProblemBoard) -> Obstacle | None:
    """Why nothing is captured for now."""
    hold = side.facts().hold
    if hold is not None:
        return Obstacle(hold.sentence, hold.remedy)
    return _told(board, _CAPTURE_WAITS)


def of_opening(board: ProblemBoard) -> Obstacle | None:
    """Why a dataset is not open."""
    return _told(board, (NOT_RUNNING,))


def of_steps(facts: DatasetFacts) -> Obstacle | None:
    """Why a change of role does not get on here: the place of the standby, or the dataset, is not as it has to be. A moment that
    was named may be on its way while the newest commit is held."""
    if facts.hold is not None and facts.hold.code not in OF_COMMIT:
        return Obstacle(facts.hold.sentence, facts.hold.remedy)
    found = (one for one in facts.problems if one.code in _STEPS_WAIT and not one.path)
    return next((_obstacle(one) for one in found if one.severity is not Severity.INFO), None)


def of_peer(
    side: Primary, peer: str, level: Level, pauses: Pauses, told: Callable[[str], PeerStanding | None], asked_ns: int
) -> Obstacle | None:
    """Why nothing more reaches a peer, or is ``level`` there; ``told``: its last word. It is asked again at once: what it refused
    before ``asked_ns`` (UTC ns) may have been mended, and what it refuses now may be soon."""
    name = side.dataset.name
    if side.reign.mark is not None and not side.reign.goes_on:
        return Obstacle(side.reign.mark.sentence, "hikae status says what leads out of it")
    if SEND in (paused := pauses.until_ns()) and paused[SEND] is None:
        return Obstacle(f"sending to {peer} is paused until it is resumed", f"hikae resume {name}")
    link = side.outgoing.links[peer]
    state = link.state()
    if state.connected and (word := told(peer)) is not None:
        return of_standing(word.standing, peer, level, name)
    refused = state.error
    if refused is None or not (refused.code not in PASSING or refused.code == DISK_RESERVE):
        return None
    link.dial_now()
    return _obstacle(refused) if refused.since >= asked_ns else None


def of_standing(said: Standing, peer: str, level: Level, dataset: str) -> Obstacle | None:
    """What a peer that is connected says of itself, as far as only a person there can end it."""
    worst = said.worst
    if worst is not None and worst.code == STATE_DISK_FULL:
        return Obstacle(f"{peer} cannot store what comes: {worst.message}", _there(peer, worst.remedy))
    if level is Level.DURABLE:
        return None
    if said.hold is not None:
        return Obstacle(f"{peer} is held: {said.hold.sentence}", _there(peer, said.hold.remedy))
    if any(pause.what == APPLY and pause.until is None for pause in said.pauses):
        return Obstacle(f"applying is paused on {peer} until it is resumed", f"on {peer}: hikae resume {dataset}")
    if worst is not None and worst.code in _NOT_APPLIED:
        return Obstacle(f"{peer} cannot apply: {worst.message}", _there(peer, worst.remedy))
    return None


def _there(peer: str, remedy: str) -> str:
    return f"on {peer}: {remedy}" if remedy else f"see hikae status on {peer}"


def _told(board: ProblemBoard, codes: tuple[ProblemCode, ...]) -> Obstacle | None:
    for problem in board.listed()[0]:
        if problem.code in codes and not problem.path and problem.severity is not Severity.INFO:
            return _obstacle(problem)
    return None


def _obstacle(problem: Problem) -> Obstacle:
    return Obstacle(problem.message, problem.remedy)
