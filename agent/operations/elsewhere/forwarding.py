"""What is typed on one node and concerns another: passed on to that node, and decided there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.core.errors import HikaeError, Refused, TryAgain
from agent.core.forwarded import Forwarded
from agent.operations.arguments import written
from agent.operations.declaration import DatasetRequest, Json, Operation, Progress, as_typed, operation_of
from agent.operations.running import RunningAgent
from agent.status.state import Role

if TYPE_CHECKING:
    from agent.node.member import Member


def nodes_concerned(member: Member, operation: Operation, request: DatasetRequest[Any]) -> tuple[str, ...]:
    """The nodes that are asked instead of this one; none where it is this one, or where it is to be typed there."""
    afar, role = operation.afar, operation.role
    if operation.of_history and member.keeps_history:
        return ()
    if afar is None or role is None or role is member.role or not afar.allowed(request):
        return ()
    return (member.assigned.primary,) if role is Role.PRIMARY else member.assigned.standbys


def ask_elsewhere(
    agent: RunningAgent, nodes: tuple[str, ...], request: DatasetRequest[Any], typist: str, progress: Progress
) -> object:
    """What these nodes answer. Raises what the first that fails raises; ``Refused`` where one has to be chosen."""
    operation = operation_of(request)
    asked = Forwarded(request.dataset, operation.name, written(request), typist)
    if request.ANSWER is not list and len(nodes) > 1:
        where = " or ".join(nodes)
        reason = f"it concerns one node, and {where} can be meant"
        raise Refused(operation.command, request.dataset, reason, f"type it there: {as_typed(request)}")

    def told(value: Json) -> None:
        if agent.stopping.is_set():
            raise TryAgain(operation.command, request.dataset, "the agent is stopping")
        progress(value)

    answers = [checked_answer(agent.forward(node, asked, told), request, node) for node in nodes]
    return answers[0] if len(answers) == 1 else [one for answer in answers for one in answer]


def checked_answer(answer: object, request: DatasetRequest[Any], node: str) -> Any:
    """An answer of another node, of the kind of JSON that is expected. Raises ``HikaeError``."""
    if type(answer) is not request.ANSWER:
        reason = "it is not what this version expects"
        raise HikaeError("understand the answer", node, reason, "compare hikae --version on both nodes")
    return answer
