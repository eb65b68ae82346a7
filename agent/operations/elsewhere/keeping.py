"""What stands on a primary, kept as a generation by one of its standbys: the one that is meant, or else the first that has it.

::

    barrier ─→ commit ─→ a standby that has it durable ─→ generations-before there ─→ its name
                           │ refused, or silent: the next one
                           └ took one a moment ago: the next one, or that one again when it takes another
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from agent.core.errors import HikaeError, Refused, TryAgain
from agent.core.ids import CommitNumber
from agent.operations.declaration import DatasetRequest, Json, dataset_operation, each_call, operation_of
from agent.operations.elsewhere.forwarding import ask_elsewhere
from agent.operations.obstacles import of_capture, of_peer
from agent.operations.patience import Obstacle, Patience
from agent.operations.role_changes.rolling_back import GenerationsBeforeRequest
from agent.operations.running import DatasetCall
from agent.operations.waiting import left_text, on_open_primary
from agent.status.figures import span_text
from agent.status.published import number_json
from agent.status.state import Role
from agent.stream.position import Level

if TYPE_CHECKING:
    from agent.node.primary import Primary
    from agent.status.facts import PeerFacts

_OPERATION = "keep what stands"
#: Seconds for which a standby that would be rather asked is waited for while another has all already, and for which one of
#: several that was asked may be silent.
_RATHER, _SILENCE = 3.0, 10.0
#: So often it is looked which of several has all.
_LOOK = 0.2


@dataclass(frozen=True, slots=True)
class KeepStandingRequest(DatasetRequest[Json]):
    """Have one standby keep all that was written before the call as a generation, since something is about to overwrite it:
    ``{"dataset", "generation", "node", "commit": {"epoch", "seq"}, "waited_for": {"epoch", "seq"}, "incomplete"}``. ``node``: the
    standby that is rather asked, "" for none. ``commit``: what was kept, older than ``waited_for`` where the standby had nothing
    newer that is whole; ``incomplete``: files of it whose content never came.

    Raises ``TryAgain`` after ``timeout`` seconds, and ``Refused`` where only a person can end what stands in the way of each."""

    note: str = ""
    node: str = ""
    timeout: float | None = 30.0


@dataclass(frozen=True, slots=True)
class Keeper:
    """A standby that could keep it. ``has_it``: all that was written is durable there; ``again_at``: when it may be asked again
    (monotonic seconds), None: it was not asked yet; ``failure``: why it will not do it, None: it may."""

    node: str
    has_it: bool = False
    connected: bool = False
    again_at: float | None = None
    failure: HikaeError | None = None


def next_keeper(keepers: Sequence[Keeper], rather: str, waited: float, now: float) -> str | None:
    """Whom to ask now; None: nobody yet. ``rather``: the node that is meant; ``waited``: seconds since all was captured, ``now``:
    monotonic seconds."""

    def rank(one: Keeper) -> tuple[bool, bool]:
        return (not one.connected, one.node != rather)

    able = [one for one in keepers if one.failure is None]
    ready = [one for one in able if one.has_it and (one.again_at is None or one.again_at <= now)]
    if not ready:
        return None
    best = min(ready, key=rank)
    is_better_hoped_for = any(not one.has_it and rank(one) < rank(best) for one in able)
    return None if is_better_hoped_for and waited < _RATHER else best.node


@dataset_operation(
    "keep-standing", KeepStandingRequest, role=Role.PRIMARY, long=True, changes=each_call, typed="restore"
)
def _keep(call: DatasetCall, request: KeepStandingRequest) -> Json:
    patience = Patience(_OPERATION, call.dataset, request.timeout, call.progress, call.agent.stopping)

    def kept(side: Primary, still: Callable[[], bool]) -> Json:
        number = patience.until(side.pump.barrier().wait, partial(of_capture, side, call.member.board), still)
        keeping = _Keeping(call, request, side, number)
        return patience.until(keeping.step, keeping.obstacle, still)

    return on_open_primary(call, patience, kept)


class _Keeping:
    """One call: who was asked, and with what end."""

    def __init__(self, call: DatasetCall, request: KeepStandingRequest, side: Primary, number: CommitNumber) -> None:
        self._call = call
        self._request = request
        self._side = side
        self._number = number
        self._begun, self._begun_ns = time.monotonic(), time.time_ns()
        self._again_at: dict[str, float] = {}
        self._failures: dict[str, HikaeError] = {}

    def step(self, seconds: float) -> Json:
        """What one of them answers. Waits so many seconds at most for one that has all. Raises ``TryAgain`` while there is no
        answer, and what one said when all of them will not."""
        now, keepers = time.monotonic(), self._keepers()
        if not keepers:
            raise Refused(_OPERATION, self._call.dataset, "no node is its standby", "hikae config show")
        node = next_keeper(keepers, self._request.node, now - self._begun, now)
        if node is None:
            self._await(next((one for one in keepers if not one.has_it), None), min(seconds, _LOOK))
            peers = self._peers()
            raise TryAgain(_OPERATION, self._call.dataset, "; ".join(_why(one, peers.get(one.node)) for one in keepers))
        try:
            return self._asked(node, _SILENCE if len(keepers) > 1 else self._request.timeout)
        except TryAgain as error:
            # Not each second: it would be an event there each time, and is refused until then.
            self._again_at[node] = time.monotonic() + _seconds_between()
            raise TryAgain(_OPERATION, self._call.dataset, f"{node}: {error.reason}") from error
        except HikaeError as error:
            self._failures[node] = error
            if len(self._failures) == len(keepers):
                raise self._failures[keepers[0].node] from None
            raise TryAgain(_OPERATION, self._call.dataset, f"{node}: {error.reason}") from error

    def obstacle(self) -> Obstacle | None:
        """What a person has to end before any of them can keep it; None while one may."""
        found = list[Obstacle]()
        for one in self._keepers():
            met = self._met(one)
            if met is None:
                return None
            found.append(met)
        if not found:
            return None
        sentences = "; ".join(dict.fromkeys(one.sentence for one in found))
        return Obstacle(sentences, next((one.remedy for one in found if one.remedy), ""))

    def _met(self, one: Keeper) -> Obstacle | None:
        if one.failure is not None:
            return Obstacle(f"{one.node}: {one.failure.reason}", one.failure.remedy)
        if one.has_it:
            return None
        member = self._call.member
        return of_peer(self._side, one.node, Level.DURABLE, member.pauses, member.standings.told, self._begun_ns)

    def _keepers(self) -> list[Keeper]:
        """Who could, the one that is meant first."""
        nodes = sorted(self._side.replicas, key=lambda name: name != self._request.node)
        peers = self._peers()
        return [
            Keeper(
                node,
                self._side.replicas[node].positions.wait(Level.DURABLE, self._number, 0.0),
                node in peers and peers[node].connected,
                self._again_at.get(node),
                self._failures.get(node),
            )
            for node in nodes
        ]

    def _peers(self) -> dict[str, PeerFacts]:
        return {one.name: one for one in self._call.member.facts().peers}

    def _asked(self, node: str, within: float | None) -> Json:
        """Raises ``HikaeError``; ``TryAgain`` also where it is silent for so many seconds (None: as long as it takes)."""
        call, begun = self._call, time.monotonic()
        call.progress({"phase": _OPERATION, "waits_for": f"{node} to keep it"})

        def still(value: Json) -> None:
            if within is not None and time.monotonic() >= begun + within:
                raise TryAgain(_OPERATION, call.dataset, f"no answer within {span_text(within)}")
            call.progress(value)

        asked = GenerationsBeforeRequest(call.dataset, self._request.note)
        answer = ask_elsewhere(call.agent, (node,), asked, call.typist, still)
        return self._told(node, answer if isinstance(answer, dict) else {})

    def _told(self, node: str, answer: Json) -> Json:
        """What is answered, of what that node said. Raises ``HikaeError`` for what makes no sense."""
        peer = self._peers().get(node)
        name, commit = answer.get("generation"), answer.get("commit")
        # A node of an earlier release does not say what its generation lacks.
        incomplete = answer.get("incomplete", peer.owed if peer is not None else 0)
        if not (name and isinstance(name, str) and isinstance(commit, int) and isinstance(incomplete, int)):
            reason = "it does not say which generation of which commit it keeps"
            raise HikaeError(_OPERATION, node, reason, "compare hikae --version on both nodes")
        return {
            "dataset": self._call.dataset,
            "generation": name,
            "node": node,
            "commit": number_json(commit),
            "waited_for": number_json(self._number),
            "incomplete": incomplete,
        }

    def _await(self, lacking: Keeper | None, seconds: float) -> None:
        """Until that one has all, where there is such a one, or that time is over."""
        if lacking is None:
            self._call.agent.stopping.wait(seconds)
        else:
            self._side.replicas[lacking.node].positions.wait(Level.DURABLE, self._number, seconds)


def _why(one: Keeper, peer: PeerFacts | None) -> str:
    """Why it was not asked just now."""
    if one.failure is not None:
        return f"{one.node}: {one.failure.reason}"
    if one.again_at is not None:
        return f"{one.node} could not a moment ago, and is asked again soon"
    if not one.connected:
        return f"{one.node} is not connected"
    left = left_text(peer) if peer is not None else ""
    return f"{one.node} has not said that it is durable there{left}"


def _seconds_between() -> float:
    """Between two generations that a standby takes so."""
    afar = operation_of(GenerationsBeforeRequest("")).afar
    return afar.every if afar is not None else 0.0
