"""Who else is there when a standby is to become the primary: the primary itself and the other standbys are asked, in a bounded
time, what they are and how far."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from agent.config.values import Peer
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.errors import CalledOff, HikaeError
from agent.core.forwarded import Forwarded
from agent.core.ids import EPOCH_LIMIT, LOCAL_BIT, NOTHING, CommitNumber, commit_number, shown_commit
from agent.node.context import Surroundings
from agent.roles.assignment import Assignment
from agent.roles.gates import OtherStandby
from agent.rpc.peers.peer_caller import PeerCaller
from agent.rpc.peers.peer_limits import PeerLimits
from agent.status.state import Role, State
from agent.status.text import shown

#: Seconds that a node has to answer: one that is dead answers never. ``SOON``: where it was asked a moment ago, and nobody serves
#: while it is waited for.
ANSWERS_WITHIN, SOON = 2.0, 0.5
WHEREABOUTS = "whereabouts"
#: A primary that lives and serves nothing says one of these.
STOPPED = frozenset({State.REWOUND.value, State.FENCED.value})


@dataclass(frozen=True, slots=True)
class Heard:
    """What was answered: ``answered``: by the primary, or by who hears it, "" where nobody did; ``others``: the other standbys
    that answered; ``stopped``: as which of ``STOPPED`` the primary itself answered, "" for none."""

    answered: str = ""
    others: tuple[OtherStandby, ...] = ()
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """One node's answer: what it is to the dataset, in which epoch, its newest commit, and whether it hears a primary; ``state``:
    that of its own side, "" where its release does not say so."""

    node: str
    role: str
    epoch: int
    newest: CommitNumber
    hears_primary: bool
    state: str = ""


class KeptAnswers:
    """Of one dataset: what the others answered last. Silence is what it spares: a node that is off is waited for once. That a
    primary lives is asked anew each time, which costs milliseconds while it does; it may have died since. Any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: tuple[float, tuple[NodeAnswer, ...]] | None = None

    def within(self, seconds: float, ask: Callable[[], tuple[NodeAnswer, ...]]) -> tuple[NodeAnswer, ...]:
        """What was answered within so many seconds where nobody knew of a primary that lives, else what is answered now."""
        with self._lock:
            if self._last is None or self._clock.monotonic() - self._last[0] > seconds or _one_lives(self._last[1]):
                found = ask()
                self._last = self._clock.monotonic(), found
            return self._last[1]

    def are_fresh(self, seconds: float) -> bool:
        """Whether all were asked within so many seconds."""
        with self._lock:
            return self._last is not None and self._clock.monotonic() - self._last[0] <= seconds

    def anew(self, seconds: float, ask: Callable[[], tuple[NodeAnswer, ...]]) -> tuple[NodeAnswer, ...]:
        """What is answered now; of who is silent now what was answered within so many seconds stands."""
        found = ask()
        with self._lock:
            recent = self._last is not None and self._clock.monotonic() - self._last[0] <= seconds
            before = self._last[1] if self._last is not None and recent else ()
        heard = {one.node for one in found}
        return (*found, *(one for one in before if one.node not in heard))


def _one_lives(found: tuple[NodeAnswer, ...]) -> bool:
    """Whether a primary answered, or a node that hears one."""
    return any(one.role == Role.PRIMARY or one.hears_primary for one in found)


def ask_around(
    dataset: str, assigned: Assignment, around: Surroundings, ending: threading.Event, within: float = ANSWERS_WITHIN
) -> tuple[NodeAnswer, ...]:
    """What every other node of the dataset answers, all at once; who does not answer is not among them. Raises ``CalledOff``
    once ``ending`` is set."""
    names = [name for name in (assigned.primary, *assigned.standbys) if name != around.node]
    peers = [peer for peer in around.settings.peers if peer.name in names]
    caller = PeerCaller(around.identities, PeerLimits(silence=within))

    def ask(peer: Peer) -> NodeAnswer | None:
        try:
            asked = Forwarded(dataset, WHEREABOUTS, {}, "a promotion")
            return read_answer(peer.name, caller.ask(peer, asked, lambda _: _require_on(dataset, ending)))
        except CalledOff:
            raise
        except HikaeError:
            return None

    if not peers:
        return ()
    with ThreadPoolExecutor(len(peers), f"ask-{dataset}") as pool:
        found = list(pool.map(ask, peers))
    return tuple(one for one in found if one is not None)


def judged(found: tuple[NodeAnswer, ...], primary: str, newest: Commit | None, epoch: int) -> Heard:
    """What the answers say to a standby whose newest commit and epoch these are. Pure."""
    answered, stopped = "", ""
    for one in found:
        if one.role == Role.PRIMARY and one.epoch >= epoch:
            answered = f"{one.node} answers: it is the primary, in epoch {one.epoch}"
            stopped = one.state if one.node == primary and one.state in STOPPED else ""
        elif not answered and one.hears_primary:
            answered = _heard_there(one, primary, epoch)
    ours = newest.number if newest is not None else NOTHING
    others = tuple(
        OtherStandby(one.node, one.newest > ours, shown_commit(one.newest)) for one in found if one.role == Role.STANDBY
    )
    return Heard(answered, others, stopped)


def _heard_there(one: NodeAnswer, primary: str, epoch: int) -> str:
    """A standby hears a primary: that of this node, or one that this node does not know of yet."""
    if one.node == primary or one.epoch > epoch:
        return f"{one.node} follows another primary, in epoch {one.epoch}, which does not reach this node"
    return f"{one.node} hears {primary}, which does not answer this node"


def read_answer(node: str, answer: object) -> NodeAnswer | None:
    """What a node said of itself; None for what nobody says. It is shown, and keeps a promotion from being done unforced at worst
    (law 6)."""
    if not isinstance(answer, dict):
        return None
    found: dict[str, Any] = answer
    epoch, role = found.get("epoch"), found.get("role")
    if not _is_below(epoch, EPOCH_LIMIT) or not isinstance(role, str):
        return None
    state = found.get("state")
    return NodeAnswer(
        node,
        shown(role[:32]),
        int(found["epoch"]),
        _newest(found.get("commit")),
        found.get("hears") is True,
        shown(state[:32]) if isinstance(state, str) else "",
    )


def _newest(commit: object) -> CommitNumber:
    if not isinstance(commit, dict):
        return NOTHING
    epoch, seq = commit.get("epoch"), commit.get("seq")
    known = _is_below(epoch, EPOCH_LIMIT) and _is_below(seq, LOCAL_BIT)
    return commit_number(commit["epoch"], commit["seq"]) if known else NOTHING


def _is_below(value: object, limit: int) -> bool:
    return type(value) is int and 0 <= value < limit


def _require_on(dataset: str, ending: threading.Event) -> None:
    if ending.is_set():
        raise CalledOff("promote", dataset, "the agent stops", "it goes on when the agent is back")
