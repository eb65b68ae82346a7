"""The way in: files → settings, or every mistake at once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from agent.config.devices import by_kind, said_in_vain
from agent.config.groups import torn_groups
from agent.config.meaning import meant
from agent.config.mistakes import ConfigMistakes, Mistake, closest, explain
from agent.config.places import place_mistakes
from agent.config.read import Sources, read_files
from agent.config.resolve import WrittenDataset, check_together, digest, resolve_dataset, unique_peers
from agent.config.schema import EXAMPLES, WITHOUT_EFFECT_YET, DatasetEntry, TlsEntry, known_keys
from agent.config.shadowing import shadowed_rules
from agent.config.units import shown_value
from agent.config.values import (
    ConsoleSettings,
    Generations,
    HealthSettings,
    Keep,
    NodeSettings,
    Peer,
    Settings,
    TlsSettings,
)

DEFAULT_PATH = "/etc/hikae/agent.toml"

_Shape = TypeVar("_Shape")


def default_path(env: Mapping[str, str]) -> str:
    """The configuration file where none is named: ``HIKAE_CONFIG``, else ``/etc/hikae/agent.toml``."""
    return env.get("HIKAE_CONFIG") or DEFAULT_PATH


def load(path: str) -> Settings:
    """Read and check the configuration file and ``datasets.d/*.toml`` beside it; no other file is touched.

    Raises :class:`ConfigMistakes` (a ``ConfigError``) with everything that is wrong.
    """
    path = os.path.abspath(path)
    sources = read_files(path)
    if sources.tables is None:
        raise ConfigMistakes(path, sources.mistakes)
    return _Loader(sources, sources.tables).settings()


class _Loader:
    """Gathers mistakes and warnings while the tables of one configuration become settings."""

    def __init__(self, sources: Sources, tables: Mapping[str, object]) -> None:
        self._sources = sources
        self._tables = tables
        self._mistakes = list(sources.mistakes)
        self._warnings: list[str] = []

    def settings(self) -> Settings:
        """The settings; raises ConfigMistakes."""
        self._unknown_tables()
        node = self._table("node", NodeSettings)
        tls = self._table("tls", TlsEntry)
        health = self._table("health", HealthSettings)
        console = self._table("console", ConsoleSettings)
        peers = self._peers(node)
        written = self._datasets()
        if node is not None and peers is not None:
            self._mistakes += check_together(node, peers, written)
            if health is not None and console is not None:
                self._mistakes += meant(self._sources.main, node, health, console, peers, written)
        if self._mistakes or node is None or tls is None or health is None or console is None or peers is None:
            raise ConfigMistakes(self._sources.main, self._mistakes)
        self._warn(node, written)
        own = [each.entry for each in written if node.name in each.entry.nodes]
        return Settings(
            node=node,
            tls=self._tls(tls, node.name),
            health=health,
            console=console,
            peers=tuple(peers),
            datasets=tuple(
                sorted((resolve_dataset(entry, node.name) for entry in own), key=lambda dataset: dataset.name)
            ),
            source_files=tuple(self._sources.files),
            digest=digest([each.entry for each in written]),
            warnings=tuple(self._warnings),
            serves_web=not {"health", "console"}.isdisjoint(self._tables),
        )

    def _unknown_tables(self) -> None:
        for key in self._tables:
            if key not in known_keys(""):
                hint = closest(key, known_keys(""))
                self._mistakes.append(Mistake(self._sources.main, key, f"is no table that is known; {hint}"))

    def _validate(self, file: str, table: str, label: str, shape: type[_Shape], value: object) -> _Shape | None:
        try:
            return TypeAdapter(shape).validate_python(value)
        except ValidationError as error:
            self._mistakes += explain(file, table, label, error.errors(include_url=False))
            return None

    def _table(self, name: str, shape: type[_Shape]) -> _Shape | None:
        return self._validate(self._sources.main, name, name, shape, self._tables.get(name, {}))

    def _peers(self, node: NodeSettings | None) -> list[Peer] | None:
        file, entries = self._sources.main, self._tables.get("peer", [])
        if not isinstance(entries, list):
            self._mistakes.append(Mistake(file, "peer", f"{shown_value(entries)} is no list; write {EXAMPLES['peer']}"))
            return None
        labels = [_peer_label(entry, number) for number, entry in enumerate(entries, 1)]
        peers = [self._validate(file, "peer", label, Peer, entry) for label, entry in zip(labels, entries, strict=True)]
        right = [peer for peer in peers if peer is not None]
        kept, mistakes = unique_peers(file, node.name if node else "", right)
        self._mistakes += mistakes
        return kept if len(right) == len(peers) else None

    def _datasets(self) -> list[WrittenDataset]:
        written = []
        for raw in self._sources.datasets:
            entry = self._validate(raw.file, "dataset", raw.label, DatasetEntry, raw.table)
            if entry is not None:
                written.append(WrittenDataset(raw, by_kind(entry, raw.table)))
        return written

    def _tls(self, entry: TlsEntry, node: str) -> TlsSettings:
        folder = os.path.join(os.path.dirname(self._sources.main), "pki")
        ca = entry.ca or os.path.join(folder, "ca.crt")
        return TlsSettings(
            ca=ca,
            cert=entry.cert or os.path.join(folder, f"{node}.crt"),
            key=entry.key or os.path.join(folder, f"{node}.key"),
            crl=entry.crl or os.path.join(os.path.dirname(ca), "ca.crl"),
        )

    def _warn(self, node: NodeSettings, written: Sequence[WrittenDataset]) -> None:
        main = self._sources.main
        for key in self._tables:
            if key in WITHOUT_EFFECT_YET:
                self._warnings.append(f"{main}: {key}: has no effect in this version yet")
        for each in written:
            self._warnings += _dataset_warnings(each, node.name)
        self._warnings += torn_groups([each.entry for each in written])


def _peer_label(entry: object, number: int) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return f"peer[{name if isinstance(name, str) and name.isprintable() else f'#{number}'}]"


def _dataset_warnings(each: WrittenDataset, node: str) -> list[str]:
    place = f"{each.raw.file}: {each.raw.label}"
    if node not in each.entry.nodes:
        return [f"{place}: {node} is neither its primary nor a standby; it is passed over here"]
    warnings = [
        f"{place}.{key}: has no effect in this version yet"
        for key in _dotted(each.raw.table)
        if f"dataset.{key}" in WITHOUT_EFFECT_YET
    ]
    warnings += said_in_vain(place, each.entry, each.raw.table)
    if each.entry.quiesce == "hook" and each.entry.hooks.before_freeze is None:
        warnings.append(f'{place}.quiesce: "hook" takes hooks.before_freeze, which is not set; each file is whole')
    return warnings + list(_kept_in_vain(place, each.entry.generations))


def _kept_in_vain(place: str, generations: Generations) -> Iterator[str]:
    """Rules of ``keep`` that make no difference, or that keep nothing at all."""
    for rule, by in shadowed_rules(generations):
        keep = generations.keep
        yield (
            f"{place}.generations.keep.{rule}: {getattr(keep, rule)} keeps nothing of the schedule that {by} = "
            f"{getattr(keep, by)} does not keep; write more, or leave it out"
        )
    if generations.keep == Keep():
        yield f"{place}.generations.keep: says nothing, so every generation stays; write what is to stay, like daily = 30"


def _dotted(table: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    """The keys of a table and of the tables in it, as ``hooks.stop``."""
    for key, value in table.items():
        yield prefix + key
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{key}.")


def file_mistakes(settings: Settings) -> list[Mistake]:
    """What is missing, unreadable, readable for too many, or something else than it should be, of the files and directories that
    the settings name. What stands in the certificates is for :mod:`agent.pki`, whose ``startable`` has the whole list."""
    main = settings.source_files[0]
    mistakes: list[Mistake] = []
    for key, path in (("ca", settings.tls.ca), ("cert", settings.tls.cert), ("key", settings.tls.key)):
        if reason := _unreadable(path):
            remedy = f"{_makes_file(settings, key)}, or write where it is"
            mistakes.append(Mistake(main, f"tls.{key}", f"{shown_value(path)} {reason}; {remedy}"))
    if os.path.exists(settings.tls.key) and stat.S_IMODE(os.stat(settings.tls.key).st_mode) & 0o077:
        path = settings.tls.key
        mistakes.append(Mistake(main, "tls.key", f"{shown_value(path)} can be read by others; type: chmod 600 {path}"))
    return mistakes + place_mistakes(settings)


def _makes_file(settings: Settings, key: str) -> str:
    """What makes a file of ``[tls]`` that is not there. Of a certificate that is there the key cannot be made anew: both are."""
    if key == "ca":
        return "copy ca.crt from where the authority is"
    if key == "key" and os.path.exists(settings.tls.cert):
        renew = f"hikae pki renew {settings.node.name} --dir DIR"
        return f"copy it from where it was made, or make both anew there: {renew}, and copy them"
    return f"make it with: hikae pki issue {settings.node.name}"


def _unreadable(path: str) -> str:
    try:
        with open(path, "rb"):
            return ""
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
