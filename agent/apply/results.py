"""What the applier tells about itself: plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from agent.core.errors import HikaeError, Refused, TryAgain
from agent.core.hold import Hold
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.problem import ProblemCode


class ApplyPhase(StrEnum):
    """What the applier does now; public strings."""

    IDLE = "idle"
    REDO = "redo"
    CONVERGE = "converge"
    HELD = "held"
    PAUSED = "paused"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class ApplyProgress:
    """How far a converge has come: keys looked at and bytes written, of how many (bytes: an estimate)."""

    done_entries: int = 0
    total_entries: int = 0
    done_bytes: int = 0
    total_bytes: int = 0


Report = Callable[[ApplyProgress], None]


def silent(progress: ApplyProgress) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one converge did. ``number``: what the standby equals now (the target, unless ``failed`` is above 0 or large files
    are still being written).

    ``entries``: keys worked on; ``bytes``: content written; ``displaced``: foreign entries moved out of the way;
    ``failed``: objects that could not be made so, each with a problem; ``redo``: whether nothing was believed."""

    number: CommitNumber
    entries: int = 0
    bytes: int = 0
    displaced: int = 0
    failed: int = 0
    redo: bool = False


@dataclass(frozen=True, slots=True)
class ApplyFacts:
    """The applier at one moment. ``stands``: what all but large files that are being written equals; ``checkpoint``: history
    before it is not needed any more by the apply.
    ``hold``: why it stands still until somebody decides, None where it does not; ``problem``: the last failure that is being
    retried, "" if none; ``doubted``: whether it is not known that the standby equals ``stands``: all is compared before."""

    applied: CommitNumber = NOTHING
    stands: CommitNumber = NOTHING
    target: CommitNumber = NOTHING
    checkpoint: CommitNumber = NOTHING
    phase: ApplyPhase = ApplyPhase.IDLE
    progress: ApplyProgress = ApplyProgress()
    hold: Hold | None = None
    problem: str = ""
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that verify found. ``path``: raw bytes from the root; ``what``: "missing", "foreign", "content", "mode" …;
    ``object``: that is wanted there, None for nothing."""

    path: bytes
    what: str
    object: ObjectId | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The standby beside the catalog at ``number``. ``checked_bytes``: content that was read, none unless it was deep;
    ``differences`` is bounded; ``more`` counts those beyond it. ``owed``: files that could not be compared, since the commit was
    sealed without all of them; ``owed_paths``: the first. ``changing``: files of which the content was not compared, since
    they were written again and again meanwhile."""

    equal: bool
    checked_entries: int
    checked_bytes: int
    differences: tuple[Difference, ...] = ()
    more: int = 0
    repaired: int = 0
    number: CommitNumber = NOTHING
    owed: int = 0
    owed_paths: tuple[bytes, ...] = ()
    changing: tuple[bytes, ...] = ()


class Held(Refused):
    """The apply stands still until its cause is gone or an operator accepts. ``code``: that of the problem on the board."""

    def __init__(self, code: ProblemCode, subject: str, reason: str, remedy: str, *, waits: bool = False) -> None:
        """``waits``: it goes on by itself as soon as what it waits for has come; nobody need do anything."""
        super().__init__("apply", subject, reason, remedy)
        self.code = code
        self.waits = waits

    @property
    def hold(self) -> Hold:
        """The same as a value."""
        return Hold(self.code, self.reason, self.remedy)


class RootFull(TryAgain):
    """No room on the filesystem of the root that is written. What was begun is redone when there is."""


class RootFailed(TryAgain):
    """The filesystem of the root that is written gave an error that is not about one entry (EIO, EROFS …)."""


class ChunkLost(HikaeError):
    """The vault could not give a chunk, or gave bytes that are not it: the object that needs it stays as it is."""
