"""How a dataset stands on one node, as that node says it to its peers: plain values, bounded where they come in.

It is a peer's word: it is shown as said by that peer and changes nothing that lasts (law 6)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agent.core.hold import Hold
from agent.core.ids import CommitNumber
from agent.core.kept import KeptNote, KeptPast

#: ``SyncFacts.phase`` of a first sync; other phases ("reconcile", "apply", …) are shown as they are.
FIRST_SYNC = "first-sync"
#: Seconds until a peer has caught up that never does at the rates of now.
NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Pause:
    """``what``: "send" or "apply"; ``until``: UTC ns, None for until it is resumed; ``by``: who typed it, "" where that is not
    known."""

    what: str
    until: int | None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """The worst problem of a node with a dataset."""

    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Verified:
    """The last verify of a standby. ``time``: UTC ns; ``deep``: whether content was read; ``differences``: how many it found."""

    time: int
    equal: bool
    deep: bool
    differences: int


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """``time``: when it ended, UTC ns; ``ok``: the probe said that the standby serves; ``commit``: what the standby equalled;
    ``rto_ms``: from the wish to the probe's end; ``exit``: the probe's exit code, None where it was killed at its deadline;
    ``output``: its last words; ``reason``: why it is not ok, in words, "" where it is."""

    time: int
    ok: bool
    commit: CommitNumber
    rto_ms: int
    exit: int | None
    output: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SyncFacts:
    """A walk or transfer that has an end. Totals are None until they are known."""

    phase: str
    done_bytes: int = 0
    total_bytes: int | None = None
    done_entries: int = 0
    total_entries: int | None = None
    eta_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """``state``: the word for the dataset there, whatever that node's peers are like; ``errors`` and ``warnings`` count its
    problems, ``worst`` is the first of them; ``sync``: as far as it concerns who is told;
    ``past``: what is kept there of the past, None where that is not known or nothing is."""

    state: str
    hold: Hold | None = None
    pauses: tuple[Pause, ...] = ()
    errors: int = 0
    warnings: int = 0
    worst: Trouble | None = None
    verified: Verified | None = None
    sync: SyncFacts | None = None
    past: KeptPast | None = None

    def differs(self, other: Standing | None) -> bool:
        """Whether more differs than the progress of a sync and how much is kept: these need not be told at once."""
        return other is None or _without_progress(self) != _without_progress(other)


def _without_progress(standing: Standing) -> tuple[object, ...]:
    phase = standing.sync.phase if standing.sync is not None else ""
    counts = (standing.errors, standing.warnings)
    notes: tuple[KeptNote, ...] = standing.past.history.notes if standing.past is not None else ()
    return standing.state, standing.hold, standing.pauses, counts, standing.worst, standing.verified, phase, notes


@dataclass(frozen=True, slots=True)
class PeerStanding:
    """A peer's last word of its standing, and when it was heard (UTC ns)."""

    standing: Standing
    at: int
