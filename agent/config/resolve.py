"""Tables that are right each for itself → settings that make sense together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from types import MappingProxyType

from agent.config.mistakes import Mistake, closest
from agent.config.read import RawDataset
from agent.config.schema import SHARED_KEYS, DatasetEntry
from agent.config.units import shown_value
from agent.config.values import Dataset, NodeSettings, Peer


@dataclass(frozen=True, slots=True)
class WrittenDataset:
    """A dataset that is right by itself, and where it stands."""

    raw: RawDataset
    entry: DatasetEntry

    def mistake(self, key: str, message: str) -> Mistake:
        """A mistake at one of its keys."""
        return Mistake(self.raw.file, f"{self.raw.label}.{key}", message)


def unique_peers(file: str, node: str, peers: Sequence[Peer]) -> tuple[list[Peer], list[Mistake]]:
    """The peers without the node itself, and what is there twice."""
    kept: list[Peer] = []
    mistakes = []
    for peer in (peer for peer in peers if peer.name != node):
        if any(peer.name == other.name for other in kept):
            mistakes.append(Mistake(file, f"peer[{peer.name}]", "is there twice; leave one of them out"))
        elif other := next((other for other in kept if peer.address == other.address), None):
            text = f'{shown_value(peer.address)} is the address of peer "{other.name}" too; write its own address'
            mistakes.append(Mistake(file, f"peer[{peer.name}].address", text))
        else:
            kept.append(peer)
    return kept, mistakes


def check_together(node: NodeSettings, peers: Sequence[Peer], written: Sequence[WrittenDataset]) -> list[Mistake]:
    """Everything about the datasets that is wrong only together."""
    nodes = [node.name, *(peer.name for peer in peers)]
    mistakes = list(_twice(written))
    for each in written:
        mistakes += _roles(each)
        if node.name in each.entry.nodes:
            mistakes += _nodes(each, nodes)
            mistakes += _own_places(each, node)
            mistakes += _vaults(each, node, written)
    mistakes += _overlaps(written)
    return mistakes


def _twice(written: Sequence[WrittenDataset]) -> Iterator[Mistake]:
    first: dict[str, WrittenDataset] = {}
    for each in written:
        other = first.setdefault(each.entry.name, each)
        if other is not each:
            yield each.mistake(
                "name", f"is configured in {other.raw.file} already; give it another name, or leave one out"
            )


def _roles(each: WrittenDataset) -> Iterator[Mistake]:
    entry = each.entry
    if not entry.standby:
        yield each.mistake("standby", 'is empty; name the nodes that keep a standby, like ["beta"]')
    if entry.primary in entry.standby:
        yield each.mistake("standby", f'"{entry.primary}" is its primary; leave it out here')
    for name in sorted({name for name in entry.standby if entry.standby.count(name) > 1}):
        yield each.mistake("standby", f'"{name}" is there twice; leave one out')
    if isinstance(entry.path, dict):
        for name in entry.nodes:
            if name not in entry.path:
                yield each.mistake("path", f'has no path for "{name}"; write {name} = "/srv/..." into the table')


def _nodes(each: WrittenDataset, known: Sequence[str]) -> Iterator[Mistake]:
    entry = each.entry
    if entry.primary not in known:
        yield each.mistake("primary", _unknown(entry.primary, known))
    for name in dict.fromkeys(entry.standby):
        if name not in known:
            yield each.mistake("standby", _unknown(name, known))
    if isinstance(entry.path, dict):
        for name in entry.path:
            if name not in known and name not in entry.nodes:
                yield each.mistake(f"path.{name}", _unknown(name, known))


def _unknown(name: str, known: Sequence[str]) -> str:
    return f'"{name}" is neither this node nor a [[peer]]; {closest(name, known)}'


def inside(path: str, directory: str) -> bool:
    """Whether ``path`` is ``directory``, or lies below it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _own_places(each: WrittenDataset, node: NodeSettings) -> Iterator[Mistake]:
    """No dataset lies in the agent's own directory, which lies in no standby and no device."""
    path = each.entry.path_on(node.name)
    if path is not None:
        if inside(path, node.state_dir):
            yield each.mistake(
                "path", f"{shown_value(path)} lies in state_dir ({node.state_dir}); write another place for either"
            )
        elif inside(node.state_dir, path) and not _holds_state(each.entry, node):
            yield each.mistake(
                "path",
                f"state_dir ({node.state_dir}) lies in {shown_value(path)}, which would be written over as a standby; "
                "write another path, or another state_dir",
            )


def _holds_state(entry: DatasetEntry, node: NodeSettings) -> bool:
    """Whether a tree has the agent's own directory in it and may: it is captured here, and never written to
    (``config.own_places``)."""
    path = entry.path_on(node.name)
    return entry.kind == "tree" and entry.primary == node.name and path is not None and inside(node.state_dir, path)


def _vaults(each: WrittenDataset, node: NodeSettings, written: Sequence[WrittenDataset]) -> Iterator[Mistake]:
    """A dataset in a vault would be in the way of its packs, and a vault in a dataset would be replicated, but for one in
    a tree that holds all that is the agent's."""
    vault = each.entry.vault
    for other in (other.entry for other in written if vault is not None and node.name in other.entry.nodes):
        path = other.path_on(node.name)
        if vault is None or path is None or (inside(vault, path) and _holds_state(other, node)):
            continue
        if inside(vault, path) or inside(path, vault):
            text = f'{shown_value(vault)} and the path of dataset "{other.name}" lie in each other; write another place'
            yield each.mistake("vault", text)


def _overlaps(written: Sequence[WrittenDataset]) -> Iterator[Mistake]:
    """The same path twice. One that lies below another is judged by each node itself (``config.nesting``)."""
    for one, other in combinations(written, 2):
        if one.entry.name == other.entry.name:
            continue
        for node in (name for name in one.entry.nodes if name in other.entry.nodes):
            mine, theirs = other.entry.path_on(node), one.entry.path_on(node)
            if mine is not None and mine == theirs:
                text = f'{shown_value(mine)} is the path of dataset "{one.entry.name}" on {node}; write another place'
                yield other.mistake("path", text)
                break


#: Of which "none" says that there is no schedule.
_CRON_LINES = ("reconcile", "verify")


def _unless_none(line: str) -> str | None:
    return None if line == "none" else line


def resolve_dataset(entry: DatasetEntry, node: str) -> Dataset:
    """A dataset as this node, which takes part in it, has it."""
    paths = {name: path for name in entry.nodes if (path := entry.path_on(name)) is not None}
    same = {
        field.name: getattr(entry, field.name) for field in fields(entry) if field.name not in ("path", *_CRON_LINES)
    }
    return Dataset(
        path=paths[node],
        paths=MappingProxyType(paths),
        reconcile=_unless_none(entry.reconcile),
        verify=_unless_none(entry.verify),
        digest=dataset_digest(entry),
        **same,
    )


def dataset_digest(entry: DatasetEntry) -> bytes:
    """SHA-256 of what must be the same on all nodes, however it was written."""
    written = asdict(entry)
    shared = {key: written[key] for key in SHARED_KEYS - {"path"}}
    shared["paths"] = {name: entry.path_on(name) for name in entry.nodes}
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).digest()


def digest(entries: Sequence[DatasetEntry]) -> bytes:
    """SHA-256 over all datasets' digests, in the order of their names."""
    return hashlib.sha256(b"".join(sorted(map(dataset_digest, entries)))).digest()
