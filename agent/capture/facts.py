"""What the pump tells of itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agent.core.hold import Hold


class CapturePhase(StrEnum):
    """What capture is doing; public strings."""

    STARTING = "starting"
    FIRST_SYNC = "first-sync"
    RECONCILE = "reconcile"
    LIVE = "live"
    HELD = "held"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """How far a walk is. Totals are what the newest commit held when it began, at a first sync what the census counted; None
    before that is through: what is done is then "at least"."""

    done_entries: int
    done_bytes: int
    total_entries: int | None
    total_bytes: int | None


@dataclass(frozen=True, slots=True)
class PumpFacts:
    """One look at the pump.

    ``by_event`` and ``by_reconcile``: rows that changed, by what found them (a first sync counts as neither);
    ``last_reconcile``: UTC ns of the end of the last whole walk; ``doubt``: commits are not consistent for now; ``reading``:
    (done, total) bytes of the large file in hand; ``fuzzy``: files taken as read since the start; ``hints``: how many wait;
    ``put_off``: for how long a change has waited, since its file was read of late or for the link, in seconds; ``waits``: bytes
    of new files that no commit has yet, and ``ahead`` those of the one in hand that were read. Of a device: ``untracked``:
    nothing tells what changes; ``behind``: it is written faster than ``rpo`` and ``freeze`` allow for; ``refused``: nothing is
    committed, since a freeze was refused; ``dirty``: bytes, about, that were written and not read yet, then
    also those that were read for the commit that is not made."""

    phase: CapturePhase
    hold: Hold | None
    doubt: bool
    by_event: int
    by_reconcile: int
    last_reconcile: int | None
    sync: SyncProgress | None
    reading: tuple[int, int] | None
    fuzzy: int
    hints: int
    large_waiting: int
    put_off: float
    waits: int
    ahead: int
    commits: int
    untracked: bool = False
    behind: bool = False
    refused: bool = False
    dirty: int = 0
