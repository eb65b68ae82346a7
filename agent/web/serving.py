"""Who serves, by the published value: the one place that health, agent-check, gRPC and metrics go by. Pure."""

from __future__ import annotations

from agent.status.published import Json
from agent.status.state import Role, State

#: A standby in such a state has no files that a reader should be sent to.
UNFIT = {State.FENCED, State.REWOUND, State.INCONSISTENT, State.REDO, State.FIRST_SYNC}
#: The gate of a promotion that is met only once the primary is gone.
_PRIMARY = "primary"


def serves(dataset: Json) -> bool:
    """Whether the dataset is written to here, now: its primary, confirmed, and no change of role under way."""
    return bool(dataset.get("serving"))


def stands_by(dataset: Json) -> bool:
    """Whether what stands here can be read: a standby that is a whole state, also while nobody is connected. Its state tells one
    thing only, the worst: what it has is published beside it."""
    return dataset["role"] == Role.STANDBY and bool(dataset.get("whole")) and dataset["state"] not in UNFIT


def gates(dataset: Json) -> list[Json]:
    """The gates of promotion as the agent published them, for requests of health; none where they are not known."""
    promotion = dataset.get("promotion") or {}
    return list(promotion.get("gates") or ())


def promotable(dataset: Json) -> bool:
    """Whether it could take over, were the primary gone: all gates are met but the one that says that it is there."""
    found = gates(dataset)
    return (
        dataset["role"] == Role.STANDBY
        and bool(found)
        and all(gate["ok"] or gate["name"] == _PRIMARY for gate in found)
    )


def lag_here(dataset: Json, stood: float) -> float | None:
    """Seconds of writes that the standby here would lose now, as its promotion says; None: not known. ``stood``: for how long
    this value has stood so: where no primary is connected the time since it was published is lost too."""
    promotion = dataset.get("promotion") or {}
    seconds = (promotion.get("loss") or {}).get("seconds")
    if seconds is None:
        return None
    away = not any(peer["connected"] for peer in dataset["peers"])
    return float(seconds) + (stood if away else 0.0)


def moves(dataset: Json) -> bool:
    """Whether its role is being changed here, now: who is connected may end what he began, nobody new comes. That another node
    moves, as an old primary that rejoins, drains no node that serves."""
    return dataset.get("moving") is not None


def service_served(value: Json, service: str) -> bool | None:
    """Whether ``NAME/primary`` or ``NAME/standby`` is served here; "": the agent itself, which is. None: there is no such."""
    if not service:
        return True
    name, _, role = service.rpartition("/")
    dataset = next((one for one in value["datasets"] if one["name"] == name), None)
    if dataset is None or role not in _SERVICES:
        return None
    return _SERVICES[role](dataset)


_SERVICES = {"primary": serves, "standby": stands_by}
