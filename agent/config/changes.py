"""What differs between the configuration that runs and the one that was read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

from agent.config.schema import LIVE_KEYS
from agent.config.values import Dataset, Peer, Settings

#: These follow from others.
_DERIVED = frozenset({"name", "path", "digest"})


@dataclass(frozen=True, slots=True)
class ConfigChanges:
    """``settings``: what is to run now, the live keys taken over and all else as it was. ``taken`` and ``waiting``: the keys that
    differed (``dataset[web].limits``), those that took effect and those that need a restart."""

    settings: Settings
    taken: tuple[str, ...]
    waiting: tuple[str, ...]


def changes(running: Settings, read: Settings) -> ConfigChanges:
    """What is to become of ``running``, now that the files say ``read``."""
    new = {dataset.name: dataset for dataset in read.datasets}
    taken, datasets = [], []
    for old in running.datasets:
        wanted = new.get(old.name, old)
        live = [key for key in _different(old, wanted) if key in LIVE_KEYS]
        datasets.append(replace(old, **{key: getattr(wanted, key) for key in live}))
        taken += [f"dataset[{old.name}].{key}" for key in live]
    return ConfigChanges(replace(running, datasets=tuple(datasets)), tuple(taken), tuple(_waiting(running, read)))


def _waiting(running: Settings, read: Settings) -> Iterator[str]:
    for table in ("node", "tls", "health", "console"):
        for key in _different(getattr(running, table), getattr(read, table)):
            yield f"{table}.{key}"
    yield from _named("peer", _by_name(running.peers), _by_name(read.peers))
    yield from _named("dataset", _by_name(running.datasets), _by_name(read.datasets))


def _named(table: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    """Entries that came or went, and keys of the others; in the order of their names."""
    for name in sorted(old.keys() | new.keys()):
        if name not in old or name not in new:
            yield f"{table}[{name}]"
        else:
            yield from (f"{table}[{name}].{key}" for key in _different(old[name], new[name]) if key not in LIVE_KEYS)


def _by_name(entries: tuple[Peer, ...] | tuple[Dataset, ...]) -> dict[str, object]:
    return {entry.name: entry for entry in entries}


def _different(old: object, new: object) -> list[str]:
    """The keys, as they stand in a file, whose values differ."""
    names = [field.name for field in fields(old)]  # type: ignore[arg-type]  # a dataclass of ours
    found = [name for name in names if name not in _DERIVED and getattr(old, name) != getattr(new, name)]
    return ["path" if name == "paths" else name for name in found]
