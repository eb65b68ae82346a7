"""What the configuration says, checked: frozen values in units of the program (seconds, bytes, shares).

The blocks that stand in the file as they stand here are validated by pydantic from these very classes; a dataset as it is
written (one path or one per node) is :class:`agent.config.schema.DatasetEntry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, Strict

from agent.config import rules, units
from agent.config.keys import Key, Written

FORBID: ConfigDict = ConfigDict(extra="forbid")

Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=0, le=1_000_000)]
Seconds = Annotated[int, BeforeValidator(units.parse_duration), Written(units.format_duration)]
SecondsOrNone = Annotated[int, BeforeValidator(units.parse_duration_or_none), Written(units.format_duration_or_none)]
Share = Annotated[float, BeforeValidator(units.parse_percentage), Written(units.format_percentage)]
PartOfAll = Annotated[float, BeforeValidator(units.parse_part), Written(units.format_percentage)]
Size = Annotated[int, BeforeValidator(units.parse_size), Written(units.format_size)]
Rate = Annotated[int, BeforeValidator(units.parse_rate), Written(units.format_rate)]
Hours = Annotated[tuple[int, int], BeforeValidator(units.parse_hours), Written(units.format_hours)]
Address = Annotated[str, BeforeValidator(units.parse_address)]
AbsolutePath = Annotated[str, BeforeValidator(rules.absolute_path)]
SocketPath = Annotated[str, BeforeValidator(rules.socket_path)]
NodeName = Annotated[str, BeforeValidator(rules.node_name)]
DatasetName = Annotated[str, BeforeValidator(rules.dataset_name)]
GroupName = Annotated[str, BeforeValidator(rules.group_name)]
Cron = Annotated[str, BeforeValidator(rules.cron)]
CronOrNone = Annotated[str, BeforeValidator(rules.cron_or_none)]
Pattern = Annotated[str, BeforeValidator(rules.pattern)]
IncludePattern = Annotated[str, BeforeValidator(rules.exception)]
Label = Annotated[str, BeforeValidator(rules.label)]
#: Seconds, written with milliseconds if need be.
Rpo = Annotated[
    float, BeforeValidator(partial(units.parse_span, least=100, most=86_400_000)), Written(units.format_span)
]
Freeze = Annotated[float, BeforeValidator(partial(units.parse_span, least=1, most=30_000)), Written(units.format_span)]
ServiceUnit = Annotated[str, BeforeValidator(rules.service_unit)]
Command = Annotated[tuple[str, ...], BeforeValidator(rules.command)]

Kind = Literal["tree", "device"]
Quiesce = Literal["none", "freeze", "reflink", "btrfs", "hook"]
WatchKind = Literal["auto", "fanotify", "inotify", "polling"]
WithoutPeer = Literal["wait", "serve"]
OnFailure = Literal["abort", "go-on"]
Asked = Literal["reason", "approved-by"]


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """This server: its name (that of its certificate), its private directory, where peers and operators reach it."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    name: Annotated[NodeName, Key('"alpha"', "this node, as its certificate names it")]
    state_dir: Annotated[
        AbsolutePath, Key('"/var/lib/hikae"', "where the agent keeps what it knows: catalogs, vaults, events")
    ] = "/var/lib/hikae"
    listen: Annotated[Address, Key('"0.0.0.0:7440"', "where peers reach it")] = "0.0.0.0:7440"
    admin_socket: Annotated[SocketPath, Key('"/run/hikae/admin.sock"', "where commands on this machine reach it")] = (
        "/run/hikae/admin.sock"
    )


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

    listen: Annotated[Address, Key('"0.0.0.0:7441"', "where load balancers ask")] = "0.0.0.0:7441"
    agent_check: Annotated[Address | None, Key('"0.0.0.0:7443"', "where HAProxy asks by agent-check")] = None


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """Where people and metrics ask."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    listen: Annotated[Address, Key('"127.0.0.1:7442"', "where people and metrics ask")] = "127.0.0.1:7442"
    token_file: Annotated[
        AbsolutePath | None, Key('"/etc/hikae/console.token"', "what they must know to be let in, and to see paths")
    ] = None
    client_ca: Annotated[
        AbsolutePath | None,
        Key('"/etc/hikae/console-ca.crt"', "the authority whose certificates are let in, over TLS; left out: no TLS"),
    ] = None
    client_crl: Annotated[
        AbsolutePath | None,
        Key(
            '"/etc/hikae/console-ca.crl"',
            "whom that authority has revoked; left out: the .crl beside client_ca, if any",
        ),
    ] = None
    cert: Annotated[
        AbsolutePath | None, Key('"/etc/hikae/console.crt"', "what is shown over TLS; client_ca asks for it")
    ] = None
    key: Annotated[AbsolutePath | None, Key('"/etc/hikae/console.key"', "its key; never that of [tls]")] = None


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node, and where it listens (``host:port``)."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    name: Annotated[
        NodeName, Key('"beta"', "another node, as its certificate names it; the node itself is passed over", live=True)
    ]
    address: Annotated[Address, Key('"beta.example:7440"', "where it listens", live=True)]


@dataclass(frozen=True, slots=True)
class Keep:
    """How many generations of each calendar unit stay. Where none is written, all stay."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    last: Annotated[
        Count, Key("3", "the newest so many; and of those by schedule as many, whatever was asked for beside them")
    ] = 0
    hourly: Annotated[Count, Key("24", "the newest generation of each of so many hours that have one")] = 0
    daily: Annotated[Count, Key("30", "of so many days")] = 0
    weekly: Annotated[Count, Key("8", "of so many weeks")] = 0
    monthly: Annotated[Count, Key("12", "of so many months")] = 0
    yearly: Annotated[Count, Key("0", "of so many years")] = 0
    labels: Annotated[tuple[Label, ...], Key('["release-*"]', "those with such a label; * stands for anything")] = ()


@dataclass(frozen=True, slots=True)
class Generations:
    """When generations are taken, a cron line or "none" (on demand), which stay, and how long none may be expired (seconds; None:
    at once)."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    schedule: Annotated[
        CronOrNone, Key('"0 * * * *"', 'when generations are taken, a cron line in local time, or "none": on demand')
    ] = "0 * * * *"
    keep: Annotated[
        Keep, Key("{ hourly = 24, daily = 30 }", "which stay once history has passed them; what is left out is 0")
    ] = Keep(hourly=24, daily=30, weekly=8, monthly=12)
    immutable_for: Annotated[
        Seconds | None,
        Key('"7d"', "how long none may be expired, whoever asks; what is there keeps what it was promised"),
    ] = None
    verify: Annotated[
        CronOrNone,
        Key('"30 4 * * *"', 'when a share of what is kept is read and checked, a cron line in local time, or "none"'),
    ] = "none"
    verify_share: Annotated[PartOfAll, Key('"5%"', "how much of it at a time, so that shares go round")] = 0.05
    verified_within: Annotated[Seconds, Key('"30d"', "what was verified within that time is passed over")] = 30 * 86400


@dataclass(frozen=True, slots=True)
class Brake:
    """What holds the apply when it is passed within ``window`` seconds: net deletions as a share of all entries, rewritten
    files as a share of all regular files. Nothing is held in a dataset below ``min_entries``."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    deleted: Annotated[Share, Key('"30%"', "net deletions that hold the apply, as a share of all entries")] = 0.3
    rewritten: Annotated[Share, Key('"50%"', "rewritten files that hold the apply, as a share of all files")] = 0.5
    window: Annotated[Seconds, Key('"15m"', "within how long they are counted")] = 900
    min_entries: Annotated[Count, Key("100", "a dataset of fewer entries is never held")] = 100


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate (bytes a second, None: none) within hours (minutes of the local day; None: the whole day)."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    hours: Annotated[Hours | None, Key('"22:00-05:00"', "hours of the local day in which this rate holds")] = None
    rate: Annotated[Rate | None, Key('"80MB/s"', "bytes a second")] = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Outside of all hours that are listed, sending stands still; an empty list is no limit."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    first_sync: Annotated[
        tuple[Limit, ...],
        Key(
            '[{ hours = "22:00-05:00", rate = "80MB/s" }]',
            "until the first sync is over; outside of all hours it stands still",
        ),
    ] = ()
    steady: Annotated[
        tuple[Limit, ...],
        Key(
            '[{ hours = "22:00-05:00", rate = "80MB/s" }]',
            "afterwards; outside of all hours it stands still",
        ),
    ] = ()


@dataclass(frozen=True, slots=True)
class Hook:
    """A program of the operator's: its words, never given to a shell (none: there is nothing to do, and that was said). It is
    killed after ``timeout`` seconds (None: those of all hooks), and tried ``retries`` times more when it fails. ``on_failure``:
    whether what asked for it ends, or goes on without it."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    run: Annotated[Command, Key('["systemctl", "stop", "shop"]', "the program and its arguments; no shell reads them")]
    timeout: Annotated[Seconds | None, Key('"60s"', "how long it may take, if not as long as all hooks")] = None
    retries: Annotated[Count, Key("1", "how many times it is tried again when it fails")] = 0
    on_failure: Annotated[
        OnFailure, Key('"abort"', 'whether what asked for it ends then, or goes on without it ("go-on")')
    ] = "abort"

    def as_written(self) -> object:
        """The hook as it stands in a file: ``"none"``, a list of words, or a table."""
        if not self.run:
            return "none"
        if self == Hook(self.run):
            return self.run
        return self._table()

    def _table(self) -> dict[str, object]:
        timeout = units.format_duration(self.timeout) if self.timeout is not None else None
        return {"run": self.run, "timeout": timeout, "retries": self.retries, "on_failure": self.on_failure}


@dataclass(frozen=True, slots=True)
class ProbeHook(Hook):
    """A probe: ``units`` are service units whose programs are begun on the view of the standby before ``run``, which may be
    nothing then: it is enough that they begin, and run."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    run: Annotated[
        Command, Key('["shop-probe"]', "the program that tries it, and its arguments; no shell reads them")
    ] = ()
    units: Annotated[
        tuple[ServiceUnit, ...],
        Key('["shop.service"]', "service units whose programs are begun on the view first, as these units say"),
    ] = ()

    @property
    def does(self) -> bool:
        """Whether there is anything to try."""
        return bool(self.run or self.units)

    def as_written(self) -> object:
        """See ``Hook``; a table where there are units."""
        if not self.units:
            return Hook(self.run, self.timeout, self.retries, self.on_failure).as_written()
        return {"units": self.units, **self._table()}


ProbeOrNone = Annotated[ProbeHook | None, BeforeValidator(rules.probe_as_written), Written(ProbeHook.as_written)]
#: None: the file says nothing of it.
HookOrNone = Annotated[Hook | None, BeforeValidator(rules.hook_as_written), Written(Hook.as_written)]


@dataclass(frozen=True, slots=True)
class Hooks:
    """The operator's programs: what starts and stops the application, what accompanies its changes of node, and what brings it to
    rest for a generation."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    start: Annotated[
        HookOrNone,
        Key('["systemctl", "start", "shop"]', "starts the application where this node may serve as the primary"),
    ] = None
    stop: Annotated[
        HookOrNone, Key('["systemctl", "stop", "shop"]', 'stops the application; "none": there is nothing to stop')
    ] = None
    on_fenced: Annotated[
        HookOrNone, Key('["systemctl", "stop", "shop"]', "stops it on a node that must not serve any more")
    ] = None
    before_promote: Annotated[HookOrNone, Key('["shop-check"]', "runs before a standby becomes the primary")] = None
    after_promote: Annotated[HookOrNone, Key('["shop-announce"]', "runs after it serves as the primary")] = None
    before_demote: Annotated[
        HookOrNone,
        Key(
            '["shop-drain"]',
            "runs on the primary at a switchover, before its stop hook; not at a rejoin",
        ),
    ] = None
    after_demote: Annotated[
        HookOrNone,
        Key('["shop-announce"]', "runs after a primary has become a standby: by a switchover or a rejoin"),
    ] = None
    probe: Annotated[
        ProbeOrNone,
        Key(
            '["shop-probe"]',
            "tries on a view of the standby whether it serves: rehearse",
        ),
    ] = None
    before_freeze: Annotated[
        HookOrNone, Key('["shop-backup", "begin"]', "brings the application to rest before its tree stands still")
    ] = None
    after_thaw: Annotated[
        HookOrNone, Key('["shop-backup", "end"]', "lets it go on afterwards; it runs whatever came between")
    ] = None
    timeout: Annotated[Seconds, Key('"60s"', "how long each may take that says nothing else")] = 60


@dataclass(frozen=True, slots=True)
class Promote:
    """What must be so before a standby becomes the primary."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    require: Annotated[tuple[Asked, ...], Key('["reason"]', "what is asked for when something would be lost")] = ()
    max_lag: Annotated[Seconds, Key('"30s"', "how far behind it may have been when the primary was last heard")] = 30
    verified_within: Annotated[Seconds, Key('"8d"', "how old its last verify may be")] = 8 * 86400
    rehearsed_within: Annotated[SecondsOrNone, Key('"30d"', 'how old its last rehearsal may be; "0": any')] = 0


@dataclass(frozen=True, slots=True)
class Rehearse:
    """When it is tried whether the standby would serve, and how long that may take."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    schedule: Annotated[
        CronOrNone | None,
        BeforeValidator(rules.empty_is_none),
        Key('"0 5 * * 6"', "when it is rehearsed, a cron line in local time"),
    ] = None
    timeout: Annotated[Seconds, Key('"10m"', "how long the probe may take")] = 600


@dataclass(frozen=True, slots=True)
class DeviceTerms:
    """How often a device is committed, and how long its filesystems may stand still for that; seconds."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID

    rpo: Annotated[Rpo, Key('"5s"', "a device is committed so often while it is written: how much may be lost")] = 5.0
    freeze: Annotated[
        Freeze,
        Key(
            '"50ms"',
            "for how long it is read while its filesystems stand still, beyond what the kernel takes to freeze them; where what "
            "is written meanwhile does not fit that, twice as long from commit to commit, up to a second, and back by halves: "
            "`device-busy` and the state `behind` say so",
        ),
    ] = 0.05


@dataclass(frozen=True, slots=True)
class Dataset:
    """One protected tree or device, as this node has it at ``path``; ``paths`` has every node that takes part.

    ``reconcile`` and ``verify`` are cron lines in local time, or None; ``history`` seconds; ``vault`` the directory in which this
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
    verify: str | None
    verify_deep: bool
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
    promote: Promote
    rehearse: Rehearse
    device: DeviceTerms
    digest: bytes

    @property
    def is_device(self) -> bool:
        """Whether it is a block device or raw image; else a tree."""
        return self.kind == "device"


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration of this node. ``datasets`` has those that this node takes part in, by name; ``source_files``
    every file that was read; ``digest`` (32 bytes) is over all datasets' digests; ``warnings`` are lines for an operator;
    ``serves_web``: whether [health] or [console] stands in the file, so that the agent starts who answers there."""

    node: NodeSettings
    tls: TlsSettings
    health: HealthSettings
    console: ConsoleSettings
    peers: tuple[Peer, ...]
    datasets: tuple[Dataset, ...]
    source_files: tuple[str, ...]
    digest: bytes
    warnings: tuple[str, ...]
    serves_web: bool = False

    def home(self, dataset: str) -> Path:
        """Where this node keeps what it knows of a dataset."""
        return Path(self.node.state_dir) / "datasets" / dataset

    def vault(self, dataset: Dataset) -> Path:
        """Where this node keeps a dataset's chunks."""
        return Path(dataset.vault) / dataset.name if dataset.vault else self.home(dataset.name) / "vault"
