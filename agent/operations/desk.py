"""The node's end of every operation: finds the dataset, looks at the role, and has it done. Any thread."""

from __future__ import annotations

from typing import Any, cast

from agent.operations.declaration import AnswerT, DatasetRequest, Json, Progress, Request, operation_of
from agent.operations.running import DatasetCall, NodeCall, RunningAgent, member_for


class OperatorDesk:
    """Satisfies ``Controls`` on the node that is asked. All that operators change passes :meth:`ask`."""

    def __init__(self, agent: RunningAgent) -> None:
        self._agent = agent

    def ask(self, request: Request[AnswerT], progress: Progress | None = None) -> AnswerT:
        """See ``Controls``."""
        operation = operation_of(request)
        call = self._call(request, progress or _unheard)
        return cast(AnswerT, operation.act(call, request))

    def _call(self, request: Request[Any], progress: Progress) -> NodeCall | DatasetCall:
        if not isinstance(request, DatasetRequest):
            return NodeCall(self._agent, progress)
        member = member_for(self._agent.members, request.dataset, operation_of(request))
        return DatasetCall(self._agent, member, progress)

    def stop(self) -> None:
        """The node stops: long calls end with ``TryAgain``."""
        self._agent.stopping.set()


def _unheard(_progress: Json) -> None:
    """Nobody listens."""
