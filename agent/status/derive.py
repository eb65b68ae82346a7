"""One word from the facts of a dataset, and from what its peers say of it."""

from __future__ import annotations

from dataclasses import replace

from agent.core.problem import Severity
from agent.core.problem_codes import VAULT_FULL
from agent.core.standing import FIRST_SYNC, Pause
from agent.status.facts import DatasetFacts, PeerFacts
from agent.status.state import Role, State

#: States of a peer's own that are as true of the pair; others are about links, or only that node's.
TELLING = {
    state.value
    for state in (
        State.MOVING,
        State.INCONSISTENT,
        State.REDO,
        State.HELD,
        State.VAULT_FULL,
        State.PAUSED,
        State.BEHIND,
        State.CATCHUP,
        State.UNTRACKED,
        State.DEGRADED,
        State.REHEARSING,
        State.SEEDING,
    )
}


def dataset_state(facts: DatasetFacts) -> State:
    """The first of ``status.state`` that is true, here or as a connected peer says; ``streaming`` when none of the others is.

    What a peer said before its link went is no state any more: the dataset is disconnected. Where the link went because sending
    was paused, the pause is the state."""
    said = {_said_state(peer, facts.time_ns) for peer in facts.peers}
    for state, true in _signs(facts):
        if true or (state.value in said and state.value in TELLING):
            return state
    return State.STREAMING


def _said_state(peer: PeerFacts, now_ns: int) -> str:
    """The state that a connected peer says; a pause is over at its hour, also before that is said."""
    if peer.told is None or not peer.connected:
        return ""
    said = peer.told.standing
    over = said.state == State.PAUSED and said.pauses and not pauses_of(peer, now_ns)
    return "" if over else said.state


def serves_here(facts: DatasetFacts) -> bool:
    """Whether the dataset is written to here, now: load balancers, hooks and gates go by this alone."""
    stopped = facts.moving is not None and facts.moving.stopped
    may = facts.opened and not (facts.rewound or facts.unconfirmed)
    return facts.role is Role.PRIMARY and may and not stopped


def own_state(facts: DatasetFacts) -> State:
    """The state of this node's side alone, whatever its peers and links are like: what they are told."""
    return dataset_state(replace(facts, peers=(), link_problems=(), unconfirmed=False))


def missing(facts: DatasetFacts) -> list[PeerFacts]:
    """The peers that ought to be connected and are not: sending is not paused, here or by the last word of the peer that went."""
    if any(pause.what == "send" for pause in facts.pauses):
        return []
    return [peer for peer in facts.peers if not peer.connected and not pauses_of(peer, facts.time_ns)]


def pauses_of(peer: PeerFacts, now_ns: int) -> list[Pause]:
    """What a peer says stands still there; of one that is not connected, only that it sends nothing: that is why."""
    pauses = peer.told.standing.pauses if peer.told is not None else ()
    lasting = [pause for pause in pauses if pause.until is None or pause.until > now_ns]
    return [pause for pause in lasting if peer.connected or pause.what == "send"]


def _signs(facts: DatasetFacts) -> tuple[tuple[State, bool], ...]:
    return (
        (State.FENCED, facts.role is Role.FENCED),
        (State.REWOUND, facts.rewound),
        (State.UNCONFIRMED, facts.unconfirmed),
        (State.MOVING, facts.moving is not None),
        (State.INCONSISTENT, facts.inconsistent),
        (State.REDO, facts.redo),
        (State.HELD, facts.hold is not None),
        (State.VAULT_FULL, any(problem.code == VAULT_FULL for problem in facts.problems)),
        (State.DISCONNECTED, bool(missing(facts))),
        (State.PAUSED, bool(facts.pauses) or any(not peer.connected for peer in facts.peers)),
        (State.FIRST_SYNC, _in_first_sync(facts)),
        (State.BEHIND, facts.behind or _mode(facts, "behind")),
        (State.CATCHUP, _mode(facts, "catchup")),
        (State.UNTRACKED, facts.untracked),
        (State.DEGRADED, _troubled(facts)),
        (State.REHEARSING, facts.rehearsing),
        (State.SEEDING, facts.seeding),
        (State.RECONCILING, facts.reconciling),
    )


def _mode(facts: DatasetFacts, mode: str) -> bool:
    return any(peer.mode == mode for peer in facts.peers)


def _in_first_sync(facts: DatasetFacts) -> bool:
    """Also once the walk is through here, while a peer has not had and applied all of it."""
    walks = facts.sync is not None and facts.sync.phase == FIRST_SYNC
    return walks or any(peer.first_sync is not None or peer.limited_by == "first_sync" for peer in facts.peers)


def _troubled(facts: DatasetFacts) -> bool:
    problems = (*facts.problems, *facts.link_problems)
    # Of what is only counted the worst of its kind is among those that are named.
    named = {problem.code for problem in problems}
    troubling = any(problem.severity is not Severity.INFO for problem in problems)
    return troubling or not named.issuperset(facts.uncounted)
