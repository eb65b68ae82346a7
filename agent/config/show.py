"""The effective configuration as TOML, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from agent.config import units
from agent.config.values import Brake, Dataset, Generations, Hooks, Limit, Limits, Settings


def show(settings: Settings) -> str:
    """TOML that loads to the same settings again; keys that are not set are left out."""
    blocks = [
        _block("[node]", settings.node),
        _block("[tls]", settings.tls),
        _block("[health]", settings.health),
        _block("[console]", settings.console),
        *(_block("[[peer]]", peer) for peer in settings.peers),
        *(_dataset(dataset) for dataset in settings.datasets),
    ]
    return "\n".join(blocks)


def _block(head: str, value: object) -> str:
    return _lines(head, {field.name: getattr(value, field.name) for field in fields(value)})  # type: ignore[arg-type]  # a dataclass of ours


def _lines(head: str, values: Mapping[str, object]) -> str:
    return "\n".join([head, *(f"{key} = {toml(value)}" for key, value in values.items() if value is not None)]) + "\n"


def toml(value: object) -> str:
    """A value in TOML, tables inline."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return units.quoted(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {toml(item)}" for key, item in value.items() if item is not None)
        return "{ " + inner + " }" if inner else "{}"
    return str(value)


def _key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else toml(key)


def _dataset(dataset: Dataset) -> str:
    values: dict[str, object] = {
        "name": dataset.name,
        "kind": dataset.kind,
        "path": dataset.paths,
        "primary": dataset.primary,
        "standby": dataset.standby,
        "group": dataset.group,
        "exclude": dataset.exclude,
        "include": dataset.include,
        "reconcile": dataset.reconcile or "none",
        "quiesce": dataset.quiesce,
        "adopt": dataset.adopt,
        "start_without_peer": dataset.start_without_peer,
        "history": units.format_duration(dataset.history),
        "vault": dataset.vault,
        "vault_limit": None if dataset.vault_limit is None else units.format_size(dataset.vault_limit),
        "watch": dataset.watch,
        "generations": _generations(dataset.generations),
        "brake": _brake(dataset.brake),
        "limits": _limits(dataset.limits),
        "hooks": _hooks(dataset.hooks),
    }
    return _lines("[[dataset]]", values)


def _generations(value: Generations) -> dict[str, object]:
    return {
        "schedule": value.schedule,
        "keep": {field.name: getattr(value.keep, field.name) for field in fields(value.keep)},
        "immutable_for": None if value.immutable_for is None else units.format_duration(value.immutable_for),
    }


def _brake(value: Brake) -> dict[str, object]:
    return {
        "deleted": units.format_percentage(value.deleted),
        "rewritten": units.format_percentage(value.rewritten),
        "window": units.format_duration(value.window),
        "min_entries": value.min_entries,
    }


def _limits(value: Limits) -> dict[str, object]:
    return {"first_sync": tuple(map(_limit, value.first_sync)), "steady": tuple(map(_limit, value.steady))}


def _limit(value: Limit) -> dict[str, object]:
    return {
        "hours": None if value.hours is None else units.format_hours(value.hours),
        "rate": None if value.rate is None else units.format_rate(value.rate),
    }


def _hooks(value: Hooks) -> dict[str, object]:
    return {
        "start": value.start,
        "stop": value.stop,
        "on_fenced": value.on_fenced,
        "timeout": units.format_duration(value.timeout),
    }
