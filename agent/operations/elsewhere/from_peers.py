"""What other nodes ask for: decided anew here, by what the operation's declaration allows, and told with who typed it where."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from agent.core.clock import Clock
from agent.core.errors import HikaeError, NotFound, Refused, TryAgain, UsageError
from agent.core.forwarded import Forwarded, Told
from agent.operations.arguments import DATASET, read_request
from agent.operations.declaration import Operation, Progress, Request
from agent.operations.families import OPERATIONS
from agent.operations.journal import event_of
from agent.operations.running import RunningAgent
from agent.status.events import Event
from agent.status.text import shown


class DoneHere(Protocol):
    """The node's own desk (``OperatorDesk``)."""

    def done_here(self, request: Request[Any], progress: Progress, peer: str = "", typist: str = "") -> Any:
        """Have it done on this node, as ``peer`` asks, where ``typist`` typed it. Raises ``Refused`` where that may not be."""
        ...


class PeersDesk:
    """Satisfies ``ForwardedDesk``. ``tell``: an event for the journal."""

    def __init__(
        self,
        agent: RunningAgent,
        desk: DoneHere,
        tell: Callable[[Event], None],
        clock: Clock,
        operations: Mapping[str, Operation] = OPERATIONS,
    ) -> None:
        self._operations = operations
        self._agent = agent
        self._desk = desk
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        #: When (monotonic) a peer last asked for what may not be asked often, by peer, operation and dataset: what one asks for
        #: all the time is no reason to refuse another.
        self._last: dict[tuple[str, str, str], float] = {}

    def answer(self, peer: str, asked: Forwarded, told: Told) -> object:
        """See ``ForwardedDesk``."""
        operation = self._known(asked)
        self._require_shared(peer, asked.dataset)
        request = read_request(operation.request, {**asked.arguments, DATASET: asked.dataset})
        if operation.afar is None or not operation.afar.allowed(request):
            raise _only_there(asked)
        # A question is no request: who asks first what would be done may have it done at once.
        every = operation.afar.every if operation.changes(request) else 0.0
        with self._seldom(operation, asked.dataset, peer, every):
            who = f"{shown(asked.typist)} on {peer}"
            self._tell_of(event_of(who, request))
            try:
                return self._desk.done_here(request, told, peer, asked.typist)
            except HikaeError as error:
                self._tell_of(event_of(who, request, error))
                raise

    def _tell_of(self, event: Event | None) -> None:
        if event is not None:
            self._tell(event)

    def _known(self, asked: Forwarded) -> Operation:
        operation = self._operations.get(asked.operation)
        if operation is None:
            reason = "this release knows no such operation"
            raise NotFound("answer another node", shown(asked.operation), reason, "upgrade it, or type it there")
        if operation.afar is None:
            raise _only_there(asked)
        return operation

    def _require_shared(self, peer: str, name: str) -> None:
        """What this node has with others is no business of a peer's."""
        member = self._agent.members.get(name)
        if member is None or peer not in (member.assigned.primary, *member.assigned.standbys):
            reason = f"this node shares no such dataset with {peer}"
            raise NotFound("find the dataset", shown(name), reason, "see hikae config show on both nodes")

    @contextmanager
    def _seldom(self, operation: Operation, dataset: str, peer: str, every: float) -> Iterator[None]:
        """Raises ``TryAgain`` where it was done for this peer within ``every`` seconds. What was typed wrong did nothing, so that
        it may be typed anew at once."""
        if not every:
            yield
            return
        key, now = (peer, operation.name, dataset), self._clock.monotonic()
        with self._lock:
            last = self._last.get(key)
            left = every - (now - last) if last is not None else 0.0
            if left <= 0:
                self._last[key] = now
        if left > 0:
            reason = f"from {peer} it is taken once in {every:.0f} s"
            remedy = f"type it again in {math.ceil(left)} s, or on the node that does it: hikae {operation.command} {dataset}"
            raise TryAgain(operation.command, dataset, reason, remedy)
        try:
            yield
        except (UsageError, Refused):
            self._forget(key, last, now)
            raise

    def _forget(self, key: tuple[str, str, str], last: float | None, now: float) -> None:
        with self._lock:
            if self._last.get(key) != now:
                return
            del self._last[key]
            if last is not None:
                self._last[key] = last


def _only_there(asked: Forwarded) -> Refused:
    reason = "it is not taken from other nodes"
    return Refused(shown(asked.operation), shown(asked.dataset), reason, "type it on the node that it changes")
