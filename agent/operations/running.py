"""The running agent as operations see it, and one call of one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.core.errors import NotFound, Refused
from agent.core.forwarded import Forwarded
from agent.operations.declaration import DatasetRequest, Json, Progress, as_typed, operation_of
from agent.status.state import Role

if TYPE_CHECKING:
    from agent.generations.afar import FoundMoment, NamedMoment
    from agent.node.member import Member


@dataclass(frozen=True, slots=True)
class RunningAgent:
    """``members``: its datasets; ``publish``: the state now (``status.published``); ``events_since``: the newest events after an
    id, at most so many; ``reload``: reads the configuration again; ``remove``: deletes what is kept of the dataset of a name, or
    only says what that is; ``forward``: has an operation done on another node; ``moment``: which moment
    another node finds by a name; ``stopping``: set once long calls are to end."""

    members: Mapping[str, Member]
    publish: Callable[[], Json]
    events_since: Callable[[int, int], list[Json]]
    reload: Callable[[], Json]
    remove: Callable[[str, bool, bool], Json]
    forward: Callable[[str, Forwarded, Progress], object]
    moment: Callable[[str, NamedMoment], FoundMoment]
    stopping: threading.Event


@dataclass(frozen=True, slots=True)
class NodeCall:
    """One call that is about the node."""

    agent: RunningAgent
    progress: Progress


@dataclass(frozen=True, slots=True)
class DatasetCall:
    """One call that is about ``member``, which has the role that the operation needs; ``typist``: who asks, "" where that is not
    known, and of another node's call whom that one names (``operations.journal.as_said``); ``peer``: the node that asks, "" where
    it is not another one; ``uid``: of who types it here."""

    agent: RunningAgent
    member: Member
    progress: Progress
    typist: str = ""
    peer: str = ""
    uid: int | None = None

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.member.dataset.name


def member_for(members: Mapping[str, Member], request: DatasetRequest[Any]) -> Member:
    """The dataset that is meant. Raises ``NotFound``, and ``Refused`` with the node to type it on where this has another role."""
    dataset, operation = request.dataset, operation_of(request)
    member = members.get(dataset)
    if member is None:
        known = ", ".join(sorted(members)) or "none"
        raise NotFound("find the dataset", dataset, f"this node has: {known}", "see hikae config show")
    role = operation.role
    if operation.of_history and member.keeps_history:
        return member
    if role is not None and member.role is not role:
        where = member.assigned.primary if role is Role.PRIMARY else ", ".join(member.assigned.standbys)
        reason = f"{dataset} is {member.role.value} here"
        raise Refused(operation.command, dataset, reason, f"on {where}: {as_typed(request)}")
    return member
