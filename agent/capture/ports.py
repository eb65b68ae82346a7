"""What the pump drives: one opened root, or device, and the batch that is gathered of it. Protocols and values."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.capture.access.image import FrozenImage, ImageLimits, ImageReader
from agent.capture.access.kept_moment import KeptMoment
from agent.capture.outlet import Room
from agent.capture.outstanding import Outstanding
from agent.chunking.reader import Found
from agent.core.clock import Clock
from agent.core.commit import Changes
from agent.core.hold import Hold
from agent.core.ids import ObjectId
from agent.core.patch import Runs
from agent.core.problem import ProblemBoard
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local, LocalRow
from agent.store.pieces import VaultChunks
from agent.watch.hint import Hint

#: Gives chunks to the peers under a token, ahead of their commit; and whether the file is new. No chunks: no commit will name
#: what was given under that token.
Send = Callable[[int, list[Found], dict[bytes, Runs], bool], None]


@dataclass(frozen=True, slots=True)
class CaptureContext:
    """What all that captures one dataset shares. ``catalog`` and ``local`` belong to the pump from its start to its end; an epoch
    must have begun. ``vault``: what this node received when it was a standby; None where it never was one."""

    dataset: str
    catalog: Catalog
    local: Local
    vault: VaultChunks | None
    board: ProblemBoard
    clock: Clock


@dataclass(frozen=True, slots=True)
class Turned:
    """What a turn of the background did. ``by_event``: what it found is owed to an event; ``whole_ended``: a walk of the whole
    root ended; ``is_due``: what was gathered is not to wait longer for its commit; ``again``: hints to be given back."""

    by_event: bool
    whole_ended: bool
    is_due: bool
    again: Sequence[Hint]


@dataclass(frozen=True, slots=True)
class Settled:
    """``is_right``: the batch can be committed; else it must be forgotten, and what it was about looked at again. ``again``:
    hints to be given back."""

    is_right: bool
    again: Sequence[Hint]


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """One look at a session. ``goes_over``: (entries, bytes) that the walk of the whole root has gone over; None: none goes on,
    or it has not begun; ``has_whole``: one goes on or waits; ``counted``: (entries, bytes) that there are, if that was counted.
    The rest: see ``PumpFacts``."""

    goes_over: tuple[int, int] | None = None
    has_whole: bool = False
    counted: tuple[int, int] | None = None
    reading: tuple[int, int] | None = None
    large_waiting: int = 0
    put_off: float = 0.0
    waits: int = 0
    ahead: int = 0


class Batch(Protocol):
    """What the next commit will hold, while it is gathered. Belongs to the pump's thread.

    ``changed`` rises with all that is put into it; ``fuzzy``: how many files were taken as read; ``since``: since when the oldest
    of what is in it has waited for the link (monotonic seconds; None: nothing did); ``ahead``: token and object of large files
    whose content was sent before; ``chunks``, ``patches``, ``pieces``: what was read for it, by name."""

    changed: int
    fuzzy: int
    since: float | None
    chunks: dict[bytes, tuple[int, bytes]]
    patches: dict[bytes, Runs]
    pieces: dict[bytes, bytes]

    @property
    def ahead(self) -> Sequence[tuple[int, ObjectId]]: ...

    @property
    def rows(self) -> int:
        """About how many rows the commit would have."""
        ...

    @property
    def full(self) -> bool:
        """Whether it is time to commit what just happened."""
        ...

    @property
    def full_of_bulk(self) -> bool:
        """Whether it is time to commit what the background found."""
        ...

    @property
    def has_facts(self) -> bool:
        """Whether local facts wait to be written."""
        ...

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was put into it or asked of it since it began."""
        ...

    def changes(self) -> Changes:
        """Rows and keys, net."""
        ...

    def facts_to_write(self) -> tuple[list[LocalRow], list[ObjectId]]:
        """Local facts to put, and ids to drop."""
        ...

    def begin(self) -> None:
        """A new empty one over the newest commit, after the last one was committed."""
        ...

    def forget(self) -> None:
        """What was gathered and not committed is forgotten; a new one begins."""
        ...


@dataclass(frozen=True, slots=True)
class FrozenSession:
    """Looks over an image or a snapshot, into the batch of the session that it was made by. ``missed``: why what was looked at is
    not what stood there at the moment, in words; None: nothing says so."""

    session: Session
    missed: Callable[[], str | None]


class Session(Protocol):
    """Captures what was opened, until it is closed. Belongs to the pump's thread, but for :meth:`facts`, :meth:`to_try` and
    :meth:`cannot_read`.

    - The batch may be committed at every step of :meth:`look`, and between any two calls.
    - Before a commit :meth:`settle_batch` is called, after it, or after the batch was forgotten, :meth:`batch_ended`.
    - Whatever must be looked at again is returned as hints, with the age of the hint that led there; work that goes on is among
      ``walks`` (those of the whole root) or ``outstanding`` (all else) until what it found is in the batch, and so is what it
      returned, or left to other work.
    - ``hurry``: somebody waits for what changed, so nothing is put off."""

    hurry: bool

    @property
    def root_fd(self) -> int:
        """The open root."""
        ...

    @property
    def batch(self) -> Batch:
        """What is gathered."""
        ...

    @property
    def walks(self) -> Outstanding:
        """Walks of the whole root."""
        ...

    @property
    def outstanding(self) -> Outstanding:
        """Everything else that hints begin."""
        ...

    def stands(self) -> bool:
        """Whether the root's path still leads to what is open here."""
        ...

    def is_busy(self) -> bool:
        """Whether the background has something to do."""
        ...

    def hints_taken(self) -> None:
        """Hints were taken that may be younger than what was looked at so far."""
        ...

    def look(self, hint: Hint) -> Generator[None, None, Sequence[Hint]]:
        """Look at what a hint points at; what is to be looked at again."""
        ...

    def hints_of(self, objects: Sequence[ObjectId]) -> Sequence[Hint]:
        """Hints that lead to these objects, at the names that they have in the batch and where they are now."""
        ...

    def look_at_everything(self) -> int:
        """Walk the whole root, from now on; the serial of that work, among ``walks``."""
        ...

    def turn(self) -> Turned:
        """About ten milliseconds of background work."""
        ...

    def count(self, *, waits: bool) -> None:
        """At a first sync: a little of counting what there is; ``waits``: nothing else can be done now."""
        ...

    def link_has(self, room: Room | None) -> None:
        """What the slowest link has room for."""
        ...

    def settle_batch(self) -> Settled:
        """Make the batch one that can be committed."""
        ...

    def batch_ended(self) -> None:
        """The batch is committed or forgotten."""
        ...

    def is_fresh(self) -> bool:
        """Whether nothing was looked at since the last commit, so that another would write and tell nothing."""
        ...

    def take_healed(self) -> bool:
        """Whether something that could not be read may be readable, since this was last asked."""
        ...

    def rests(self, news: object) -> None:
        """Nothing is to be done, and all is committed. ``news``: what differs whenever something was committed or gone over."""
        ...

    def let_go(self) -> None:
        """Nothing happens for a while: what is open need not stay open."""
        ...

    def longest_rest(self, longest: float) -> float:
        """So many seconds at most may pass before something is due."""
        ...

    def facts(self) -> SessionFacts:
        """How it goes. From any thread."""
        ...

    def waiting(self, most: int) -> Sequence[tuple[ObjectId, bytes, int]]:
        """Names of files that wait to be read for long, at most so many, each by its parent, with the bytes that are new in it.
        From any thread."""
        ...

    def to_try(self) -> list[bytes]:
        """Paths that no event tells of when they can be read. From any thread."""
        ...

    def cannot_read(self, path: bytes) -> bool:
        """Whether what stands at this path could not be read when it was looked at last. From any thread."""
        ...

    def reader(self, memory: memoryview, since: int, limits: ImageLimits) -> ImageReader:
        """What reads an image of the root while it stands still; see there."""
        ...

    def over(self, image: FrozenImage) -> FrozenSession:
        """Looks over an image. Between this and its close nothing else changes the batch."""
        ...

    def over_snapshot(self, kept: KeptMoment, most: int) -> FrozenSession:
        """The same over a snapshot, with so many bytes of content at most."""
        ...

    def close(self) -> None:
        """Close every descriptor; the batch is forgotten."""
        ...


class Sessions(Protocol):
    """Opens what is to be captured, again and again. Belongs to the pump's thread."""

    def open(self, send: Send, *, is_first: bool) -> Session | Hold:
        """A session, or why there is none now. ``is_first``: of a first sync."""
        ...

    def accept(self) -> None:
        """Take what stands there now as the right one from now on; nothing when nothing is there."""
        ...
