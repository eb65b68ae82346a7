"""Who serves, by the published value: the one place that health, agent-check, gRPC and metrics go by. Pure."""

from __future__ import annotations

from agent.status.published import Json
from agent.status.state import Role, State

#: A standby in such a state has no files that a reader should be sent to.
_UNFIT = {State.FENCED, State.REWOUND, State.INCONSISTENT, State.REDO, State.FIRST_SYNC}


def serves(dataset: Json) -> bool:
    """Whether the dataset is written to here, now: its primary, confirmed, and no change of role under way."""
    return bool(dataset.get("serving"))


def stands_by(dataset: Json) -> bool:
    """Whether what stands here can be read: a standby that is a whole state."""
    return dataset["role"] == Role.STANDBY and dataset["state"] not in _UNFIT


def gates(dataset: Json) -> list[Json]:
    """The gates of promotion as they stand; none where they are not known."""
    promotion = dataset.get("promotion") or {}
    return list(promotion.get("gates") or ())


def lag_here(dataset: Json) -> float | None:
    """Seconds of writes that the standby here would lose now, as its promotion says; None: not known."""
    promotion = dataset.get("promotion") or {}
    seconds = (promotion.get("loss") or {}).get("seconds")
    return None if seconds is None else float(seconds)


def moves(dataset: Json) -> bool:
    """Whether its role is being changed now: who is connected may end what he began, nobody new comes."""
    return bool(dataset["state"] == "moving")
