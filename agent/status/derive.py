"""One word from the facts of a dataset."""

from __future__ import annotations

from agent.core.problem import Severity
from agent.status.facts import FIRST_SYNC, DatasetFacts
from agent.status.state import Role, State


def dataset_state(facts: DatasetFacts) -> State:
    """The first state of section 12 that is true; ``streaming`` when none of the others is.

    A paused, held or broken dataset stays so whatever its link does: the line names what the operator can change."""
    for state, true in _signs(facts):
        if true:
            return state
    return State.STREAMING


def _signs(facts: DatasetFacts) -> tuple[tuple[State, bool], ...]:
    return (
        (State.FENCED, facts.role is Role.FENCED),
        (State.REWOUND, facts.rewound),
        (State.UNCONFIRMED, facts.unconfirmed),
        (State.INCONSISTENT, facts.inconsistent),
        (State.REDO, facts.redo),
        (State.HELD, facts.hold is not None),
        (State.PAUSED, bool(facts.paused_until)),
        (State.FIRST_SYNC, _in_first_sync(facts)),
        (State.DISCONNECTED, any(not peer.connected for peer in facts.peers)),
        (State.CATCHUP, any(peer.mode == "catchup" for peer in facts.peers)),
        (State.BEHIND, facts.behind or any(peer.mode == "behind" for peer in facts.peers)),
        (State.DEGRADED, _troubled(facts)),
        (State.SEEDING, facts.seeding),
        (State.RECONCILING, facts.reconciling),
    )


def _in_first_sync(facts: DatasetFacts) -> bool:
    """Also once the walk is through here, while a peer may have the rest only at a limited rate or in other hours."""
    walks = facts.sync is not None and facts.sync.phase == FIRST_SYNC
    return walks or any(peer.limited_by == "first_sync" for peer in facts.peers)


def _troubled(facts: DatasetFacts) -> bool:
    return bool(facts.uncounted) or any(problem.severity is not Severity.INFO for problem in facts.problems)
