"""What the configuration says, checked: frozen values in units of the program (seconds, bytes, shares).

The blocks that stand in the file as they stand here are validated by pydantic from these very classes; a dataset as it is
written (one path or one per node) is :class:`agent.config.schema.DatasetEntry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, Strict

from agent.config import rules, units

FORBID: ConfigDict = ConfigDict(extra="forbid")

Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=0, le=1_000_000)]
Seconds = Annotated[int, BeforeValidator(units.parse_duration)]
Share = Annotated[float, BeforeValidator(units.parse_percentage)]
Rate = Annotated[int, BeforeValidator(units.parse_rate)]
Hours = Annotated[tuple[int, int], BeforeValidator(units.parse_hours)]
Address = Annotated[str, BeforeValidator(units.parse_address)]
AbsolutePath = Annotated[str, BeforeValidator(rules.absolute_path)]
SocketPath = Annotated[str, BeforeValidator(rules.socket_path)]
NodeName = Annotated[str, BeforeValidator(rules.node_name)]
DatasetName = Annotated[str, BeforeValidator(rules.dataset_name)]
Cron = Annotated[str, BeforeValidator(rules.cron)]
CronOrNone = Annotated[str, BeforeValidator(rules.cron_or_none)]
Pattern = Annotated[str, BeforeValidator(rules.pattern)]
IncludePattern = Annotated[str, BeforeValidator(rules.exception)]
Command = Annotated[tuple[str, ...], BeforeValidator(rules.command)]

Kind = Literal["tree", "device"]
Quiesce = Literal["none", "freeze", "reflink", "btrfs", "hook"]
WatchKind = Literal["auto", "fanotify", "inotify", "polling"]
WithoutPeer = Literal["wait", "serve"]


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """This server: its name (that of its certificate), its private directory, where peers and operators reach it."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    name: NodeName
    state_dir: AbsolutePath = "/var/lib/hikae"
    listen: Address = "0.0.0.0:7440"
    admin_socket: SocketPath = "/run/hikae/admin.sock"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """PEM files. ``crl`` lists what the authority has revoked; its file may be absent unless it was configured."""

    ca: str
    cert: str
    key: str
    crl: str


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """Where load balancers ask."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    listen: Address = "0.0.0.0:7441"


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """Where people and metrics ask."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    listen: Address = "127.0.0.1:7442"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node, and where it listens (``host:port``)."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    name: NodeName
    address: Address


@dataclass(frozen=True, slots=True)
class Keep:
    """How many generations of each calendar unit stay."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0
    yearly: Count = 0


@dataclass(frozen=True, slots=True)
class Generations:
    """When generations are taken (None: on demand), which stay, and how long none may be expired (seconds; None: at once)."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    schedule: Cron | None = None
    keep: Keep = Keep()
    immutable_for: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Brake:
    """What holds the apply when it is passed within ``window`` seconds: net deletions as a share of all entries, rewritten
    files as a share of all regular files. Nothing is held in a dataset below ``min_entries``."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    deleted: Share = 0.3
    rewritten: Share = 0.5
    window: Seconds = 900
    min_entries: Count = 100


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate (bytes a second, None: none) within hours (minutes of the local day; None: the whole day)."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    hours: Hours | None = None
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Outside of all hours that are listed, sending stands still; an empty list is no limit."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    first_sync: tuple[Limit, ...] = ()
    steady: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Hooks:
    """The operator's programs at a change of role, each a list of words (empty: none), ended after ``timeout`` seconds."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    start: Command = ()
    stop: Command = ()
    on_fenced: Command = ()
    timeout: Seconds = 60


@dataclass(frozen=True, slots=True)
class Dataset:
    """One protected tree, as this node has it at ``path``; ``paths`` has every node that takes part.

    ``reconcile`` is a cron line in local time, or None; ``history`` seconds; ``vault`` the directory in which this
    node keeps the vault, or None for its state directory; ``vault_limit`` bytes, or None. ``digest`` (32 bytes) is over what
    must be the same on all nodes.
    """

    name: str
    kind: Kind
    path: str
    paths: Mapping[str, str]
    primary: str
    standby: tuple[str, ...]
    group: str | None
    exclude: tuple[str, ...]
    include: tuple[str, ...]
    reconcile: str | None
    quiesce: Quiesce
    adopt: bool
    start_without_peer: WithoutPeer
    history: int
    vault: str | None
    vault_limit: int | None
    watch: WatchKind
    generations: Generations
    brake: Brake
    limits: Limits
    hooks: Hooks
    digest: bytes


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration of this node. ``datasets`` has those that this node takes part in, by name; ``source_files``
    every file that was read; ``digest`` (32 bytes) is over all datasets' digests; ``warnings`` are lines for an operator."""

    node: NodeSettings
    tls: TlsSettings
    health: HealthSettings
    console: ConsoleSettings
    peers: tuple[Peer, ...]
    datasets: tuple[Dataset, ...]
    source_files: tuple[str, ...]
    digest: bytes
    warnings: tuple[str, ...]
