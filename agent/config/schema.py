"""What may stand in the files: the shapes that pydantic validates, and for every key an example of what to write.

``EXAMPLES`` is the whole list of keys; its tests hold it equal to the shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, ConfigDict

from agent.config import rules, units
from agent.config.values import (
    FORBID,
    AbsolutePath,
    Brake,
    CronOrNone,
    DatasetName,
    Flag,
    Generations,
    Hooks,
    IncludePattern,
    Kind,
    Limits,
    NodeName,
    Pattern,
    Quiesce,
    Seconds,
    WatchKind,
    WithoutPeer,
)

EXAMPLES: dict[str, str] = {
    "node": 'name = "alpha" below [node]',
    "node.name": '"alpha"',
    "node.state_dir": '"/var/lib/hikae"',
    "node.listen": '"0.0.0.0:7440"',
    "node.admin_socket": '"/run/hikae/admin.sock"',
    "tls": 'ca = "/etc/hikae/pki/ca.crt" below [tls]',
    "tls.ca": '"/etc/hikae/pki/ca.crt"',
    "tls.cert": '"/etc/hikae/pki/alpha.crt"',
    "tls.key": '"/etc/hikae/pki/alpha.key"',
    "tls.crl": '"/etc/hikae/pki/ca.crl"',
    "health": 'listen = "0.0.0.0:7441" below [health]',
    "health.listen": '"0.0.0.0:7441"',
    "console": 'listen = "127.0.0.1:7442" below [console]',
    "console.listen": '"127.0.0.1:7442"',
    "peer": "[[peer]] with double brackets",
    "peer.name": '"beta"',
    "peer.address": '"beta.example:7440"',
    "dataset": "[[dataset]] with double brackets",
    "dataset.name": '"web"',
    "dataset.kind": '"tree"',
    "dataset.path": '"/srv/web"',
    "dataset.primary": '"alpha"',
    "dataset.standby": '["beta"]',
    "dataset.group": '"shop"',
    "dataset.exclude": '["**/*.tmp"]',
    "dataset.include": '["**/*.html"]',
    "dataset.reconcile": '"0 3 * * *"',
    "dataset.quiesce": '"none"',
    "dataset.adopt": "false",
    "dataset.start_without_peer": '"wait"',
    "dataset.history": '"24h"',
    "dataset.vault": '"/backup/web"',
    "dataset.vault_limit": '"500GB"',
    "dataset.watch": '"auto"',
    "dataset.generations": '{ schedule = "0 * * * *" }',
    "dataset.generations.schedule": '"0 * * * *"',
    "dataset.generations.keep": "{ daily = 30, weekly = 8 }",
    "dataset.generations.keep.daily": "30",
    "dataset.generations.keep.weekly": "8",
    "dataset.generations.keep.monthly": "12",
    "dataset.generations.keep.yearly": "0",
    "dataset.generations.immutable_for": '"7d"',
    "dataset.brake": '{ deleted = "30%" }',
    "dataset.brake.deleted": '"30%"',
    "dataset.brake.rewritten": '"50%"',
    "dataset.brake.window": '"15m"',
    "dataset.brake.min_entries": "100",
    "dataset.limits": '{ steady = [{ rate = "80MB/s" }] }',
    "dataset.limits.first_sync": '[{ hours = "22:00-05:00", rate = "80MB/s" }]',
    "dataset.limits.first_sync.hours": '"22:00-05:00"',
    "dataset.limits.first_sync.rate": '"80MB/s"',
    "dataset.limits.steady": '[{ hours = "22:00-05:00", rate = "80MB/s" }]',
    "dataset.limits.steady.hours": '"22:00-05:00"',
    "dataset.limits.steady.rate": '"80MB/s"',
    "dataset.hooks": '{ start = ["systemctl", "start", "shop"] }',
    "dataset.hooks.start": '["systemctl", "start", "shop"]',
    "dataset.hooks.stop": '["systemctl", "stop", "shop"]',
    "dataset.hooks.on_fenced": '["systemctl", "stop", "shop"]',
    "dataset.hooks.timeout": '"60s"',
}

#: Keys that are checked, and that this version does not act on.
WITHOUT_EFFECT_YET = frozenset(
    {
        "health",
        "console",
        "dataset.group",
        "dataset.vault_limit",
        "dataset.generations",
        "dataset.hooks",
    }
)


def known_keys(place: str) -> list[str]:
    """The keys that may stand in a table (``"dataset.brake"``; ``""`` for the file itself)."""
    prefix = f"{place}." if place else ""
    below = (key[len(prefix) :] for key in EXAMPLES if key.startswith(prefix))
    return [key for key in below if "." not in key]


def _path_or_table(value: object) -> str | dict[str, str]:
    """One path for all nodes, or a table of node names and paths."""
    if not isinstance(value, dict):
        return rules.absolute_path(value)
    if not value:
        raise ValueError(
            'is an empty table; write a path for each node, like { alpha = "/srv/web", beta = "/srv/web" }'
        )
    return {rules.node_name(node): rules.absolute_path(path) for node, path in value.items()}


def _size(value: object) -> int:
    return units.parse_size(value)


@dataclass(frozen=True, slots=True)
class TlsEntry:
    """``[tls]`` as written; what is left out lies beside the configuration in ``pki/``."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    ca: AbsolutePath | None = None
    cert: AbsolutePath | None = None
    key: AbsolutePath | None = None
    crl: AbsolutePath | None = None


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """``[[dataset]]`` as written."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    name: DatasetName
    path: Annotated[str | dict[str, str], BeforeValidator(_path_or_table)]
    primary: NodeName
    standby: tuple[NodeName, ...]
    kind: Kind = "tree"
    group: DatasetName | None = None
    exclude: tuple[Pattern, ...] = ()
    include: tuple[IncludePattern, ...] = ()
    reconcile: CronOrNone = "0 3 * * *"
    quiesce: Quiesce = "none"
    adopt: Flag = False
    start_without_peer: WithoutPeer = "wait"
    history: Seconds = 86_400
    vault: AbsolutePath | None = None
    vault_limit: Annotated[int, BeforeValidator(_size)] | None = None
    watch: WatchKind = "auto"
    generations: Generations = Generations()
    brake: Brake = Brake()
    limits: Limits = Limits()
    hooks: Hooks = Hooks()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Every node that takes part, the first primary first."""
        return (self.primary, *self.standby)

    def path_on(self, node: str) -> str | None:
        """The path on a node, or None where none is written."""
        return self.path if isinstance(self.path, str) else self.path.get(node)
