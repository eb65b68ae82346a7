"""What a node knows about itself at one moment: plain values, from which everything else is derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from agent.core.commit import Commit
from agent.core.hold import Hold
from agent.core.ids import NOTHING, CommitNumber
from agent.core.kept import HistoryFacts, VaultFacts
from agent.core.problem import Problem
from agent.core.standing import FIRST_SYNC, Pause, PeerStanding, Rehearsed, SyncFacts, Verified
from agent.status.promotion import PromotionFacts
from agent.status.state import Role

__all__ = ["FIRST_SYNC", "DatasetFacts", "DiskFacts", "NodeFacts", "PeerFacts", "SyncFacts", "WatchFacts"]


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """One peer of one dataset.

    ``version`` is "" while unknown; ``mode`` is "" while not connected; ``durable`` and ``applied`` are commit numbers
    there; ``lag_seconds`` is the last measured round trip of a mark (None: not measured); ``since_ns`` UTC ns of the
    last change of ``connected`` or ``mode``. ``mode`` "behind": it catches up and its rounds do not shrink. ``rate`` and
    ``change_rate``: bytes a second that it works off, and that are captured for it (0.0: not known yet); ``forecast_seconds``:
    until ``behind_bytes`` are worked off at these rates, infinite if never; None: not known. While a first sync has no
    total, ``behind_bytes`` is of what was read so far; ``behind_known``: False while it has not said, since this node
    began, what it has: ``behind_bytes`` is then of what was captured since. ``rate_limit``: bytes a second
    that it may be sent (0: sending stands still; None: without a limit, or not connected), ``waits_until_ns`` the UTC ns when it
    goes on, and ``limited_by`` the list of limits that says so. ``received_ns`` and ``applied_ns``: all that was written before
    that moment (UTC ns) is durable, or applied, there; None: not known. ``first_sync``: how far it is while it has not had and
    applied a consistent commit; ``told``: what it last said of itself, in this call or an earlier one; ``owed``: files of which
    it lacks
    something that cannot be read here; ``left_behind``: this node was promoted, and the peer has not followed it since."""

    name: str
    version: str = ""
    connected: bool = False
    mode: Literal["streaming", "catchup", "behind", ""] = ""
    durable: CommitNumber = NOTHING
    applied: CommitNumber = NOTHING
    lag_seconds: float | None = None
    behind_bytes: int = 0
    since_ns: int = 0
    rate: float = 0.0
    change_rate: float = 0.0
    forecast_seconds: float | None = None
    rate_limit: int | None = None
    waits_until_ns: int | None = None
    limited_by: Literal["first_sync", "steady", ""] = ""
    received_ns: int | None = None
    applied_ns: int | None = None
    first_sync: SyncFacts | None = None
    told: PeerStanding | None = None
    owed: int = 0
    left_behind: bool = False
    behind_known: bool = True


@dataclass(frozen=True, slots=True)
class WatchFacts:
    """The watcher in force. ``why`` says why not a better one ("" for the best); counters count changes found."""

    kind: str
    why: str = ""
    by_event: int = 0
    by_reconcile: int = 0
    overflows: int = 0
    last_reconcile_ns: int | None = None


@dataclass(frozen=True, slots=True)
class MovingFacts:
    """A change of the dataset's role, or of the moment that it is at, that is under way here. ``what``: in words; ``step``: where
    it is, "" before the first; ``stopped``: whether the application rests meanwhile, so that nobody is to be sent to it."""

    what: str
    step: str
    stopped: bool


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """One dataset on this node.

    ``primary`` and ``standbys`` are node names; ``commit`` the newest here; ``applied`` what the standby here equals
    (``NOTHING`` on a primary), ``applied_commit`` that commit where it is still held, and ``applied_until_ns`` when the first
    commit was made that is here and not applied (UTC ns), None where there is none;
    ``hold`` why apply or capture is held; ``pauses`` what stands still because
    somebody asked for it; ``link_problems`` why peers were lost, beside the ``problems`` of this node's own; ``uncounted`` how
    many more problems of each code there are than ``problems`` lists; ``last_verify`` and ``last_rehearsal`` how those ended;
    ``since_ns`` when the present state began, ``time_ns`` when this was looked at (UTC ns); ``owed`` how many files are not all
    here, or not all at the peer that lacks most; ``history`` what is kept of the past here, None where this node
    keeps none or has not looked yet, and ``history_wanted`` how many seconds of it are configured.
    ``moving`` what is under way; ``opened``: whether it is open here: of one that is not, neither what stands here is known nor
    whether it may serve; ``first_sync``: whether nothing whole was applied to the standby here yet (False on a primary, whose
    ``peers`` say it); ``whole``: whether its directory, or device, is there and equals a whole commit, so that it can be read
    (False on a primary). The other flags name the states that only the node can know."""

    name: str
    kind: Literal["tree", "device"]
    group: str | None
    role: Role
    path: str
    primary: str
    standbys: tuple[str, ...]
    epoch: int
    commit: Commit | None = None
    applied: CommitNumber = NOTHING
    applied_commit: Commit | None = None
    applied_until_ns: int | None = None
    peers: tuple[PeerFacts, ...] = ()
    sync: SyncFacts | None = None
    watch: WatchFacts | None = None
    hold: Hold | None = None
    pauses: tuple[Pause, ...] = ()
    problems: tuple[Problem, ...] = ()
    link_problems: tuple[Problem, ...] = ()
    uncounted: Mapping[str, int] = field(default_factory=dict)
    last_verify: Verified | None = None
    last_rehearsal: Rehearsed | None = None
    rehearsing: bool = False
    rewound: bool = False
    unconfirmed: bool = False
    inconsistent: bool = False
    redo: bool = False
    behind: bool = False
    untracked: bool = False
    seeding: bool = False
    reconciling: bool = False
    since_ns: int = 0
    time_ns: int = 0
    owed: int = 0
    history: HistoryFacts | None = None
    history_wanted: int = 0
    vault: VaultFacts | None = None
    promotion: PromotionFacts | None = None
    moving: MovingFacts | None = None
    opened: bool = True
    first_sync: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """A filesystem that the node writes on, by the directory that it is known for. ``free``, ``total``, ``reserve``: bytes;
    ``full_at_ns``: UTC ns when the reserve is reached at the rate of the last hour, None: not within sight."""

    path: str
    free: int
    total: int
    reserve: int
    full_at_ns: int | None = None


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """The whole node. ``time_ns``: UTC ns of this look; ``problems`` those that belong to no dataset; ``certificate_until_ns``,
    ``crl_until_ns``: when the node's certificate ends, and when the list of revoked ones is to be replaced; None: not known;
    ``disks``: those that it writes on."""

    node: str
    version: str
    time_ns: int
    problems: tuple[Problem, ...] = ()
    datasets: tuple[DatasetFacts, ...] = ()
    certificate_until_ns: int | None = None
    crl_until_ns: int | None = None
    disks: tuple[DiskFacts, ...] = ()
