"""What may stand in the files: the tables with the shapes that pydantic validates. Their keys carry what else is known of them
(``config.keys``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, ConfigDict

from agent.config import rules
from agent.config.keys import Key, keys_directly_in, keys_of, without_effect
from agent.config.values import (
    FORBID,
    AbsolutePath,
    Brake,
    ConsoleSettings,
    CronOrNone,
    DatasetName,
    DeviceTerms,
    Flag,
    Generations,
    GroupName,
    HealthSettings,
    Hooks,
    IncludePattern,
    Kind,
    Limits,
    NodeName,
    NodeSettings,
    Pattern,
    Peer,
    Promote,
    Quiesce,
    Rehearse,
    Seconds,
    Size,
    WatchKind,
    WithoutPeer,
)


def _path_or_table(value: object) -> str | dict[str, str]:
    """One path for all nodes, or a table of node names and paths."""
    if not isinstance(value, dict):
        return rules.absolute_path(value)
    if not value:
        raise ValueError(
            'is an empty table; write a path for each node, like { alpha = "/srv/web", beta = "/srv/web" }'
        )
    return {rules.node_name(node): rules.absolute_path(path) for node, path in value.items()}


Paths = Annotated[str | dict[str, str], BeforeValidator(_path_or_table)]


@dataclass(frozen=True, slots=True)
class TlsEntry:
    """``[tls]`` as written; what is left out lies beside the configuration in ``pki/``."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    ca: Annotated[AbsolutePath | None, Key('"/etc/hikae/pki/ca.crt"', "the authority whose certificates are good")] = (
        None
    )
    cert: Annotated[AbsolutePath | None, Key('"/etc/hikae/pki/alpha.crt"', "this node's certificate")] = None
    key: Annotated[AbsolutePath | None, Key('"/etc/hikae/pki/alpha.key"', "its key, which only root may read")] = None
    crl: Annotated[AbsolutePath | None, Key('"/etc/hikae/pki/ca.crl"', "whom the authority has revoked")] = None


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """``[[dataset]]`` as written."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    name: Annotated[DatasetName, Key('"web"', "what commands call it", shared=True)]
    path: Annotated[
        Paths,
        Key(
            '"/srv/web"',
            "the tree, or the block device or image file: one path, or a table with one for each node",
            reopens=True,
            shared=True,
        ),
    ]
    primary: Annotated[
        NodeName,
        Key(
            '"alpha"',
            "who begins as the primary, whose tree is captured; a change of it later moves nothing",
            reopens=True,
            shared=True,
        ),
    ]
    standby: Annotated[tuple[NodeName, ...], Key('["beta"]', "who keeps a standby of it", reopens=True, shared=True)]
    kind: Annotated[
        Kind, Key('"tree"', 'what it is: a directory tree, or a block device or raw image ("device")', shared=True)
    ] = "tree"
    group: Annotated[
        GroupName | None,
        Key(
            '"shop"',
            "with which others it changes its role, and is taken at one moment, for which its trees freeze",
            reopens=True,
            shared=True,
        ),
    ] = None
    exclude: Annotated[
        tuple[Pattern, ...],
        Key('["**/*.tmp"]', "what is left out, as in .gitignore, relative to the root", reopens=True, shared=True),
    ] = ()
    include: Annotated[
        tuple[IncludePattern, ...],
        Key('["**/*.html"]', "what comes in although exclude names it", reopens=True, shared=True),
    ] = ()
    reconcile: Annotated[
        CronOrNone,
        Key(
            '"0 3 * * *"',
            'when the whole source is looked at, a cron line in local time, or "none"; a device weekly: "0 3 * * 0"',
            live=True,
        ),
    ] = "0 3 * * *"
    verify: Annotated[
        CronOrNone,
        Key('"30 4 * * 0"', 'when the standby here is verified, a cron line in local time, or "none"', live=True),
    ] = "30 4 * * 0"
    verify_deep: Annotated[
        Flag, Key("false", "whether that reads every byte, too, and not only names and metadata", live=True)
    ] = False
    quiesce: Annotated[
        Quiesce,
        Key(
            '"freeze"',
            'what a generation is of: "none" (each file whole), "freeze", "btrfs" (a snapshot), "hook"',
            reopens=True,
            shared=True,
        ),
    ] = "none"
    adopt: Annotated[Flag, Key("false", "whether what stands at a standby's path may be taken over", reopens=True)] = (
        False
    )
    start_without_peer: Annotated[
        WithoutPeer, Key('"wait"', "whether a primary serves while it cannot ask its peers", reopens=True, shared=True)
    ] = "wait"
    history: Annotated[
        Seconds,
        Key(
            '"24h"',
            "every moment of that time can be brought back, and a peer that was away so long catches up",
            live=True,
        ),
    ] = 86_400
    vault: Annotated[
        AbsolutePath | None,
        BeforeValidator(rules.empty_is_none),
        Key('"/backup/web"', 'where chunks are kept; "": in state_dir'),
    ] = None
    vault_limit: Annotated[
        Size | None,
        BeforeValidator(rules.empty_is_none),
        Key('"500GB"', 'what the vault may take; "": no limit', live=True),
    ] = None
    watch: Annotated[WatchKind, Key('"auto"', "how changes are noticed", reopens=True)] = "auto"
    generations: Annotated[Generations, Key('{ schedule = "0 * * * *" }', "full images that are kept", live=True)] = (
        Generations()
    )
    brake: Annotated[
        Brake, Key('{ deleted = "30%" }', "what holds the apply until an operator accepts it", live=True)
    ] = Brake()
    limits: Annotated[Limits, Key('{ steady = [{ rate = "80MB/s" }] }', "how fast it is sent, and when", live=True)] = (
        Limits()
    )
    hooks: Annotated[
        Hooks,
        Key(
            '{ stop = ["systemctl", "stop", "shop"] }',
            "programs of yours that bring the application to rest",
            live=True,
        ),
    ] = Hooks()
    promote: Annotated[
        Promote, Key('{ max_lag = "30s" }', "what must be so before a standby becomes the primary", live=True)
    ] = Promote()
    rehearse: Annotated[Rehearse, Key('{ schedule = "0 5 * * 6" }', "when the standby is tried")] = Rehearse()
    device: Annotated[DeviceTerms, Key('{ rpo = "5s" }', "how a device is kept", live=True)] = DeviceTerms()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Every node that takes part, the first primary first."""
        return (self.primary, *self.standby)

    def path_on(self, node: str) -> str | None:
        """The path on a node, or None where none is written."""
        return self.path if isinstance(self.path, str) else self.path.get(node)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the file. ``example``: what to write instead of something that is none."""

    shape: type
    example: str

    @property
    def acts(self) -> bool:
        """Whether this version acts on any of its keys."""
        return any(declared.key.acts for declared in keys_of(self.shape))


TABLES: dict[str, Table] = {
    "node": Table(NodeSettings, 'name = "alpha" below [node]'),
    "tls": Table(TlsEntry, 'ca = "/etc/hikae/pki/ca.crt" below [tls]'),
    "health": Table(HealthSettings, 'listen = "0.0.0.0:7441" below [health]'),
    "console": Table(ConsoleSettings, 'listen = "127.0.0.1:7442" below [console]'),
    "peer": Table(Peer, "[[peer]] with double brackets"),
    "dataset": Table(DatasetEntry, "[[dataset]] with double brackets"),
}

#: For every table and every dotted key an example of what to write.
EXAMPLES: dict[str, str] = {
    **{name: table.example for name, table in TABLES.items()},
    **{f"{name}.{key.name}": key.key.example for name, table in TABLES.items() for key in keys_of(table.shape)},
}

#: Tables and keys of datasets that are checked, and that this version does not act on.
WITHOUT_EFFECT_YET = frozenset(
    [name for name, table in TABLES.items() if not table.acts]
    + [f"dataset.{name}" for name in without_effect(DatasetEntry)]
)
#: Keys of a dataset that must be the same on all nodes; those that it takes over while it runs; those that open it anew.
SHARED_KEYS = frozenset(key.name for key in keys_directly_in(DatasetEntry) if key.key.shared)
LIVE_KEYS = frozenset(key.name for key in keys_directly_in(DatasetEntry) if key.key.live)
REOPENING_KEYS = frozenset(key.name for key in keys_directly_in(DatasetEntry) if key.key.reopens)


def known_keys(place: str) -> list[str]:
    """The keys that may stand in a table (``"dataset.brake"``; ``""`` for the file itself)."""
    prefix = f"{place}." if place else ""
    below = (key[len(prefix) :] for key in EXAMPLES if key.startswith(prefix))
    return [key for key in below if "." not in key]
