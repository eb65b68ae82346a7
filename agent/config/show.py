"""The effective configuration as TOML, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping

from agent.config import units
from agent.config.keys import as_written, keys_directly_in, table_as_written
from agent.config.schema import TABLES, DatasetEntry, TlsEntry
from agent.config.values import Dataset, Settings


def show(settings: Settings) -> str:
    """TOML that loads to the same settings again; keys that are not set are left out."""
    blocks = [
        _lines("[node]", table_as_written(settings.node, TABLES["node"].shape)),
        _lines("[tls]", table_as_written(settings.tls, TlsEntry)),
        _lines("[health]", table_as_written(settings.health, TABLES["health"].shape)),
        _lines("[console]", table_as_written(settings.console, TABLES["console"].shape)),
        *(_lines("[[peer]]", table_as_written(peer, TABLES["peer"].shape)) for peer in settings.peers),
        *(_lines("[[dataset]]", _dataset(dataset)) for dataset in settings.datasets),
    ]
    return "\n".join(blocks)


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


def _dataset(dataset: Dataset) -> dict[str, object]:
    """As :class:`DatasetEntry` would have it, written with a path for each node."""
    resolved = {"path": dataset.paths, "reconcile": dataset.reconcile or "none", "verify": dataset.verify or "none"}
    return {
        one.name: resolved[one.name] if one.name in resolved else as_written(getattr(dataset, one.name), one.hint)
        for one in keys_directly_in(DatasetEntry)
    }
