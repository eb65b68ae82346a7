"""Every series that ``/metrics`` has: its name, what it means, its labels, and how it is read off the published state. Pure.

Names are public: alert rules and dashboards rely on them. Moments are UTC seconds, 0 for never; flags 0 or 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent.status.check import lag_now
from agent.status.figures import stamp_ns
from agent.status.published import Json
from agent.status.sentences import so_far
from agent.status.state import Role, State
from agent.web.serving import gates, lag_here, promotable, serves


@dataclass(frozen=True, slots=True)
class Gauge:
    """One family of series."""

    name: str
    means: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesSample:
    """The value of one series now."""

    name: str
    labels: tuple[str, ...]
    value: float


NODE = (
    Gauge("hikae_node_info", "1, with the node's name and the release that it runs", ("node", "version")),
    Gauge("hikae_certificate_expiry_timestamp_seconds", "When the node's certificate ends"),
    Gauge("hikae_crl_expiry_timestamp_seconds", "When the list of revoked certificates is to be replaced"),
    Gauge("hikae_disk_free_bytes", "Free room of a filesystem that the agent writes on", ("disk",)),
    Gauge("hikae_disk_size_bytes", "Size of that filesystem", ("disk",)),
    Gauge("hikae_disk_reserve_bytes", "Room that receiving leaves free on it", ("disk",)),
    Gauge("hikae_disk_full_timestamp_seconds", "When the reserve is reached at the rate of the last hour", ("disk",)),
    Gauge("hikae_node_problems", "Problems of the node itself, by code", ("code", "severity")),
)

_OF = ("dataset",)
DATASET = (
    Gauge("hikae_dataset_role", "1 for the role that this node has for the dataset", ("dataset", "role")),
    Gauge("hikae_dataset_state", "1 for the state that the dataset is in", ("dataset", "state")),
    Gauge("hikae_dataset_serving", "Whether the dataset is served here as its primary", _OF),
    Gauge("hikae_dataset_promotable", "Whether it could take over, were the primary gone; 0 on a primary", _OF),
    Gauge("hikae_dataset_gate_met", "Whether a gate of a promotion is met here", ("dataset", "gate")),
    Gauge("hikae_dataset_epoch", "The epoch that the dataset is in", _OF),
    Gauge("hikae_dataset_held", "Whether capture or apply is held until an operator accepts", _OF),
    Gauge("hikae_dataset_entries", "Entries of the newest commit", _OF),
    Gauge("hikae_dataset_size_bytes", "Bytes of the newest commit", _OF),
    Gauge("hikae_dataset_owed_files", "Files that are not whole here, or at a peer", _OF),
    Gauge(
        "hikae_dataset_lag_seconds",
        "The greatest lag of its peers; of one that is away, since when it has nothing",
        _OF,
    ),
    Gauge("hikae_dataset_behind_bytes", "What the peer that is furthest behind has not got yet", _OF),
    Gauge("hikae_dataset_last_commit_timestamp_seconds", "The newest commit here", _OF),
    Gauge(
        "hikae_dataset_last_durable_timestamp_seconds", "All that was written before is durable on every standby", _OF
    ),
    Gauge(
        "hikae_dataset_last_applied_timestamp_seconds", "All that was written before is applied on every standby", _OF
    ),
    Gauge("hikae_dataset_last_verified_timestamp_seconds", "The last verify of a standby that found it equal", _OF),
    Gauge("hikae_dataset_last_rehearsed_timestamp_seconds", "The last rehearsal that went well", _OF),
    Gauge("hikae_dataset_last_generation_timestamp_seconds", "The newest generation", _OF),
    Gauge("hikae_dataset_generations", "Generations that are kept", _OF),
    Gauge("hikae_dataset_history_reaches_timestamp_seconds", "From then on every moment can be brought back", _OF),
    Gauge("hikae_dataset_vault_bytes", "What the vault takes", _OF),
    Gauge("hikae_dataset_vault_limit_bytes", "What it may take; 0: no limit", _OF),
    Gauge(
        "hikae_dataset_vault_full_timestamp_seconds", "When the limit is reached at today's rate; 0: not in sight", _OF
    ),
    Gauge("hikae_dataset_loss_predicted_seconds", "Writes that a promotion now would lose", _OF),
    Gauge("hikae_dataset_loss_predicted_bytes", "Bytes that were announced and are not here", _OF),
    Gauge("hikae_dataset_rto_predicted_seconds", "How long a promotion now would take", _OF),
    Gauge("hikae_dataset_problems", "Problems of the dataset, by code", ("dataset", "code", "severity")),
)

_WHOSE = ("dataset", "peer")
PEER = (
    Gauge("hikae_peer_connected", "Whether the peer is connected", _WHOSE),
    Gauge("hikae_peer_lag_seconds", "The round trip of a mark that was last measured", _WHOSE),
    Gauge("hikae_peer_behind_bytes", "What the peer has not got yet", _WHOSE),
    Gauge("hikae_peer_last_durable_timestamp_seconds", "All that was written before is durable there", _WHOSE),
    Gauge("hikae_peer_last_applied_timestamp_seconds", "All that was written before is applied there", _WHOSE),
    Gauge("hikae_peer_owed_files", "Files of which it lacks something that cannot be read here", _WHOSE),
)


def node_samples(value: Json) -> Iterator[SeriesSample]:
    """Of the node itself."""
    yield SeriesSample("hikae_node_info", (value["node"], value["version"]), 1.0)
    yield SeriesSample("hikae_certificate_expiry_timestamp_seconds", (), seconds(value["certificate"]["until"]))
    yield SeriesSample("hikae_crl_expiry_timestamp_seconds", (), seconds(value["crl"]["until"]))
    for number, disk in enumerate(value["disks"]):
        # Who may not read paths counts them.
        label = (disk["path"] or str(number),)
        yield SeriesSample("hikae_disk_free_bytes", label, disk["free"])
        yield SeriesSample("hikae_disk_size_bytes", label, disk["total"])
        yield SeriesSample("hikae_disk_reserve_bytes", label, disk["reserve"])
        yield SeriesSample("hikae_disk_full_timestamp_seconds", label, seconds(disk["full_at"]))
    for (code, severity), count in _problems(value).items():
        yield SeriesSample("hikae_node_problems", (code, severity), count)


def dataset_samples(value: Json, dataset: Json, stood: float) -> Iterator[SeriesSample]:
    """Of one dataset of the node."""
    name = dataset["name"]
    for role in Role:
        yield SeriesSample("hikae_dataset_role", (name, role.value), float(dataset["role"] == role))
    for state in dict.fromkeys([*(one.value for one in State), dataset["state"]]):
        yield SeriesSample("hikae_dataset_state", (name, state), float(dataset["state"] == state))
    for gate in gates(dataset):
        yield SeriesSample("hikae_dataset_gate_met", (name, str(gate["name"])), float(bool(gate["ok"])))
    for (code, severity), count in _problems(dataset).items():
        yield SeriesSample("hikae_dataset_problems", (name, code, severity), count)
    for series, figure in _figures(value, dataset, stood).items():
        if figure is not None:
            yield SeriesSample(f"hikae_dataset_{series}", (name,), float(figure))


def peer_samples(dataset: str, peer: Json) -> Iterator[SeriesSample]:
    """Of one peer of a dataset."""
    figures = {
        "connected": float(peer["connected"]),
        "lag_seconds": peer["lag_seconds"],
        "behind_bytes": None if so_far(peer) else peer["behind_bytes"],
        "last_durable_timestamp_seconds": seconds(peer["received"]),
        "last_applied_timestamp_seconds": seconds(peer["applied"]),
        "owed_files": peer["owed"],
    }
    for series, value in figures.items():
        if value is not None:
            yield SeriesSample(f"hikae_peer_{series}", (dataset, peer["name"]), float(value))


def seconds(moment: str | None) -> float:
    """UTC seconds of a moment of the published state; 0.0 for never."""
    return stamp_ns(moment) / 1e9 if moment else 0.0


def _figures(value: Json, dataset: Json, stood: float) -> dict[str, float | None]:
    commit, peers = dataset["commit"] or {}, dataset["peers"]
    primary = dataset["role"] == Role.PRIMARY
    return {
        "serving": float(serves(dataset)),
        "promotable": float(promotable(dataset)),
        "epoch": dataset["epoch"],
        "held": float(dataset["hold"] is not None),
        "entries": dataset["entries"] or 0,
        "size_bytes": dataset["bytes"] or 0,
        "owed_files": dataset["owed"],
        "lag_seconds": lag_now(value, dataset) if primary else lag_here(dataset, stood),
        "behind_bytes": None if any(map(so_far, peers)) else max((peer["behind_bytes"] for peer in peers), default=0),
        "last_commit_timestamp_seconds": seconds(commit.get("time")),
        "last_durable_timestamp_seconds": _durable(dataset, "received"),
        "last_applied_timestamp_seconds": _durable(dataset, "applied"),
        "last_verified_timestamp_seconds": _verified(dataset),
        "last_rehearsed_timestamp_seconds": _when(dataset["last_rehearsal"], "ok"),
        **_kept(dataset),
        **_predicted(dataset),
    }


def _durable(dataset: Json, key: str) -> float:
    """On the primary the least of its standbys; on a standby what itself has, which in its first sync is all of no moment."""
    if dataset["role"] == Role.PRIMARY:
        return min((seconds(peer[key]) for peer in dataset["peers"]), default=0.0)
    has: Json | None = dataset["commit"] if key == "received" else dataset["applied"]
    return 0.0 if has is None or dataset.get("first_sync") else seconds(has["time"])


def _verified(dataset: Json) -> float:
    """On the primary that of the standby whose last one is oldest."""
    own = _when(dataset["last_verify"], "equal")
    if dataset["role"] != Role.PRIMARY:
        return own
    return min((_when(peer["last_verify"], "equal") for peer in dataset["peers"]), default=own)


def _when(result: Json | None, good: str) -> float:
    return seconds(result["time"]) if result is not None and result.get(good) else 0.0


def _kept(dataset: Json) -> dict[str, float | None]:
    generations, history, vault = dataset["generations"] or {}, dataset["history"] or {}, dataset["vault"]
    kept: dict[str, float | None] = {
        "last_generation_timestamp_seconds": seconds(generations.get("newest")),
        "generations": generations.get("count", 0),
        "history_reaches_timestamp_seconds": seconds(history.get("reaches")),
    }
    if vault is None:
        return kept
    return kept | {
        "vault_bytes": vault["bytes"],
        "vault_limit_bytes": vault["limit"] or 0,
        "vault_full_timestamp_seconds": seconds(vault["full_at"]),
    }


def _predicted(dataset: Json) -> dict[str, float | None]:
    """Of a promotion that would begin now; nothing where none could."""
    promotion = dataset.get("promotion") or {}
    loss: dict[str, Any] = promotion.get("loss") or {}  # Any: of JSON
    rto = promotion.get("rto_ms")
    return {
        "loss_predicted_seconds": loss.get("seconds"),
        "loss_predicted_bytes": loss.get("bytes"),
        "rto_predicted_seconds": None if rto is None else rto / 1000,
    }


def _problems(holder: Json) -> Counter[tuple[str, str]]:
    """How many there are of each code and severity; the public state counts them already."""
    counts: Counter[tuple[str, str]] = Counter()
    for problem in holder["problems"]:
        counts[problem["code"], problem["severity"]] += problem.get("count", 1)
    for code, count in (holder.get("uncounted") or {}).items():
        severity = next((one["severity"] for one in holder["problems"] if one["code"] == code), "warning")
        counts[code, severity] += count
    return counts
