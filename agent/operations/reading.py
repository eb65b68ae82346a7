"""What an operator reads: the state, and what happened."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.operations.declaration import Json, Request, no_call, node_operation
from agent.operations.running import NodeCall

#: Events at once.
MOST_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class StatusRequest(Request[Json]):
    """Answered with the published value (``status.published``)."""


@dataclass(frozen=True, slots=True)
class EventsRequest(Request[list[Json]]):
    """Answered with the newest ``limit`` events with a greater id than ``since``, oldest first."""

    ANSWER = list

    since: int = 0
    limit: int = field(default=100, metadata={"most": MOST_EVENTS})


@node_operation("status", StatusRequest, long=False, changes=no_call)
def _status(call: NodeCall, _request: StatusRequest) -> Json:
    return call.agent.publish()


@node_operation("events", EventsRequest, long=False, changes=no_call)
def _events(call: NodeCall, request: EventsRequest) -> list[Json]:
    return call.agent.events_since(request.since, min(request.limit, MOST_EVENTS))
