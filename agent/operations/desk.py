"""The node's end of every operation: finds the dataset, looks at the role, has it done here or on the node concerned."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from agent.operations.declaration import AnswerT, Controls, DatasetRequest, Json, Progress, Request, operation_of
from agent.operations.elsewhere.forwarding import ask_elsewhere, nodes_concerned
from agent.operations.elsewhere.own_history import gathered_answer, nodes_with_history
from agent.operations.journal import Caller, as_said, who_typed
from agent.operations.running import DatasetCall, NodeCall, RunningAgent, member_for


class OperatorDesk:
    """Satisfies ``Controls`` on the node that is asked. All that operators change passes :meth:`ask`. ``caller``: who asks, for
    the journal of another node."""

    def __init__(self, agent: RunningAgent, caller: Caller | None = None) -> None:
        self._agent = agent
        self._caller = caller

    def typed_by(self, caller: Caller) -> Controls:
        """The desk as one user has it."""
        return OperatorDesk(self._agent, caller)

    def ask(self, request: Request[AnswerT], progress: Progress | None = None) -> AnswerT:
        """See ``Controls``."""
        told = progress or _unheard
        if isinstance(request, DatasetRequest) and request.dataset in self._agent.members:
            member, operation = self._agent.members[request.dataset], operation_of(request)
            there = partial(ask_elsewhere, self._agent, request=request, typist=self._typist, progress=told)
            if others := nodes_with_history(member, operation, request):
                here = partial(self.done_here, request, told)
                return cast(AnswerT, gathered_answer(request, others, here, lambda node: there((node,))))
            if nodes := nodes_concerned(member, operation, request):
                return cast(AnswerT, there(nodes))
        return self.done_here(request, told)

    def done_here(self, request: Request[AnswerT], progress: Progress, peer: str = "", typist: str = "") -> AnswerT:
        """As :meth:`ask`, and on this node or not at all. ``peer``: the node that asks, where it is another one, and
        ``typist``: who typed it there, as that one says."""
        operation = operation_of(request)
        who = as_said(peer, typist) if peer else self._typist
        return cast(AnswerT, operation.act(self._call(request, progress, peer, who), request))

    def _call(self, request: Request[Any], progress: Progress, peer: str, typist: str) -> NodeCall | DatasetCall:
        if not isinstance(request, DatasetRequest):
            return NodeCall(self._agent, progress)
        member = member_for(self._agent.members, request)
        member.wait_for_a_try(_OPENING_SECONDS)
        uid = self._caller.uid if self._caller is not None else None
        return DatasetCall(self._agent, member, progress, typist, peer, uid)

    @property
    def _typist(self) -> str:
        return who_typed(self._caller) if self._caller is not None else ""

    def stop(self) -> None:
        """The node stops: long calls end with ``TryAgain``."""
        self._agent.stopping.set()


#: So long a call waits for a dataset that is being opened, in seconds.
_OPENING_SECONDS = 5.0


def _unheard(_progress: Json) -> None:
    """Nobody listens."""
