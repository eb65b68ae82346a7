"""What differs between the configuration that runs and the one that was read again. Pure but for where symbolic links lead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from agent.config.nesting import all_apart
from agent.config.schema import LIVE_KEYS, REOPENING_KEYS
from agent.config.values import Dataset, Peer, Settings

#: These follow from others.
_DERIVED = frozenset({"path", "digest"})
#: Nothing in these tables changes while the agent runs.
_TABLES = ("node", "tls", "health", "console")
_Entry = TypeVar("_Entry", Peer, Dataset)


@dataclass(frozen=True, slots=True)
class ConfigChanges:
    """``settings``: what is to run now: all that the files say, but for what waits. ``taken`` and ``waiting``: the keys that
    differed (``dataset[web].limits``; ``dataset[web]`` for one that came or went), those that take effect and those that need a
    restart. Of datasets by name: ``came``, ``gone``, and ``reopened``, which are closed and opened anew."""

    settings: Settings
    taken: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    came: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    reopened: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Kept:
    """A dataset that both have, as it is to run now, and the keys that differ."""

    dataset: Dataset
    taken: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    reopens: bool = False


def changes(running: Settings, read: Settings) -> ConfigChanges:
    """What is to become of ``running``, now that the files say ``read``. Files of a node of another name say nothing of this
    one: all of them waits."""
    tables = [
        f"{table}.{key}" for table in _TABLES for key in _different(getattr(running, table), getattr(read, table))
    ]
    if read.node.name != running.node.name:
        return ConfigChanges(running, waiting=tuple(tables))
    old, new = _by_name(running.datasets), _by_name(read.datasets)
    kept = {name: _kept(old[name], new[name]) for name in sorted(old.keys() & new.keys())}
    datasets = tuple(kept[name].dataset if name in kept else new[name] for name in new)
    settings = replace(read, datasets=datasets, **{table: getattr(running, table) for table in _TABLES})
    came_and_gone = [f"dataset[{name}]" for name in sorted(old.keys() ^ new.keys())]
    return ConfigChanges(
        settings,
        taken=(
            *_peers(running.peers, read.peers),
            *came_and_gone,
            *(key for one in kept.values() for key in one.taken),
        ),
        waiting=(*tables, *(key for one in kept.values() for key in one.waiting)),
        came=frozenset(new.keys() - old.keys()),
        gone=frozenset(old.keys() - new.keys()),
        reopened=frozenset(_reopened(kept, running.datasets, datasets)),
    )


def _kept(old: Dataset, new: Dataset) -> _Kept:
    """Nothing is done by halves: one key that waits for a restart makes all wait that would open the dataset anew."""
    keys = [(f"dataset[{old.name}].{key}", key) for key in _different(old, new)]
    opening = [(said, key) for said, key in keys if key not in LIVE_KEYS]
    if all(key in REOPENING_KEYS for _, key in opening):
        return _Kept(new, taken=tuple(said for said, _ in keys), reopens=bool(opening))
    live = [(said, key) for said, key in keys if key in LIVE_KEYS]
    dataset = replace(old, **{key: getattr(new, key) for _, key in live})
    return _Kept(dataset, tuple(said for said, _ in live), tuple(said for said, _ in opening))


def _reopened(kept: Mapping[str, _Kept], old: Iterable[Dataset], new: Iterable[Dataset]) -> Iterator[str]:
    """Also those below whose path another dataset came, went or moved: what lies there is not theirs, or is theirs now."""
    before, after = all_apart(old), all_apart(new)
    for name, one in kept.items():
        if one.reopens or before[name] != after[name]:
            yield name


def _peers(old: tuple[Peer, ...], new: tuple[Peer, ...]) -> Iterator[str]:
    before, after = _by_name(old), _by_name(new)
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield f"peer[{name}]"
        else:
            yield from (f"peer[{name}].{key}" for key in _different(before[name], after[name]))


def _by_name(entries: tuple[_Entry, ...]) -> dict[str, _Entry]:
    return {entry.name: entry for entry in entries}


def _different(old: object, new: object) -> list[str]:
    """The keys, as they stand in a file, whose values differ."""
    names = [field.name for field in fields(old)]  # type: ignore[arg-type]  # a dataclass of ours
    found = [name for name in names if name not in _DERIVED and getattr(old, name) != getattr(new, name)]
    return ["path" if name == "paths" else name for name in found]
