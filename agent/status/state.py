"""The words for how a dataset is. Both sets of strings are public: other programs rely on them."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a node is to a dataset."""

    PRIMARY = "primary"
    STANDBY = "standby"
    FENCED = "fenced"
    NONE = "none"


class State(StrEnum):
    """How a dataset is: the first that is true, in this order, worst first."""

    FENCED = "fenced"
    REWOUND = "rewound"
    UNCONFIRMED = "unconfirmed"
    MOVING = "moving"
    INCONSISTENT = "inconsistent"
    REDO = "redo"
    HELD = "held"
    VAULT_FULL = "vault-full"
    DISCONNECTED = "disconnected"
    PAUSED = "paused"
    FIRST_SYNC = "first-sync"
    BEHIND = "behind"
    CATCHUP = "catchup"
    UNTRACKED = "untracked"
    DEGRADED = "degraded"
    REHEARSING = "rehearsing"
    TRIAL = "trial"
    SEEDING = "seeding"
    RECONCILING = "reconciling"
    STREAMING = "streaming"


class Grade(StrEnum):
    """How much a state concerns an operator."""

    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"


_BAD = {
    State.FENCED,
    State.REWOUND,
    State.UNCONFIRMED,
    State.INCONSISTENT,
    State.HELD,
    State.VAULT_FULL,
    State.DISCONNECTED,
}
_GOOD = {State.RECONCILING, State.STREAMING}
_ORDER = {state: place for place, state in enumerate(State)}


def grade_of(state: State) -> Grade:
    """Whether somebody has to act (bad), should know (watch), or need not care (good)."""
    if state in _BAD:
        return Grade.BAD
    return Grade.GOOD if state in _GOOD else Grade.WATCH


def rank(state: State) -> int:
    """Place from the worst, 0, upwards."""
    return _ORDER[state]
