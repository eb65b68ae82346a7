"""What is asked of history on a node that has some of its own, while others have other parts of it: put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agent.core.errors import HikaeError, NotFound, Unreachable
from agent.operations.declaration import DatasetRequest, Operation
from agent.status.state import Role

if TYPE_CHECKING:
    from agent.node.member import Member


def nodes_with_history(member: Member, operation: Operation, request: DatasetRequest[Any]) -> tuple[str, ...]:
    """Of an operation on history that is done here, the other nodes that may have more of it: the standbys of a primary; of a
    standby, its primary where that says that it keeps some. None for any other operation."""
    if not (operation.of_history and member.keeps_history):
        return ()
    if operation.afar is None or not operation.afar.allowed(request):
        return ()
    if member.role is Role.PRIMARY:
        return member.assigned.standbys
    told = member.standings.told(member.assigned.primary)
    return (member.assigned.primary,) if told is not None and told.standing.past is not None else ()


def gathered_answer(
    request: DatasetRequest[Any], nodes: tuple[str, ...], here: Callable[[], Any], there: Callable[[str], Any]
) -> Any:
    """What is listed here and on the other nodes that answer; anything else as it is found here, or else there.

    ``there``: asks one node. Raises what ``here`` raises where no other node has what is missing."""
    if request.ANSWER is list:
        return [*here(), *(one for node in nodes for one in _listed(node, there))]
    try:
        return here()
    except NotFound:
        for node in nodes:
            try:
                return there(node)
            except HikaeError:
                continue
        raise


def _listed(node: str, there: Callable[[str], Any]) -> list[Any]:
    """A node that does not answer lists nothing: what is here is wanted most where the other node is gone."""
    try:
        found = there(node)
    except (Unreachable, NotFound):
        return []
    return list(found)
