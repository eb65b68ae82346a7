"""What a primary asks of what captures its dataset: the pump of a tree, or that of a device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from agent.capture.access.standstill import MeetsOthers, Standstill, StandstillLimits
from agent.capture.facts import PumpFacts
from agent.capture.tickets import Barrier, Ticket
from agent.core.commit import ORDINARY, Provenance, Quiesced
from agent.core.ids import ObjectId
from agent.fs.thaw_guard import Freezing
from agent.store.catalog.catalog import Catalog

T = TypeVar("T")
#: How a moment is captured where nothing else is said.
STANDSTILL = StandstillLimits()


class Captures(Protocol):
    """Captures one dataset from ``start`` to ``stop``; every method by any thread. See ``pump.Pump``."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End after the step in hand; tickets that wait are cancelled."""
        ...

    def reconcile(self, reason: str, *, believing: bool = True) -> Ticket:
        """Look at everything; the ticket is done when all of it is committed. ``reason`` is for people; ``believing``: whether
        what has its old stat is taken to be as it was, else it is read."""
        ...

    def barrier(self, made: Provenance = ORDINARY) -> Barrier:
        """A barrier covers everything that system calls wrote before this call. ``made``: what is to be told of the commit that
        it ends with; where that is not ordinary, it has one of its own."""
        ...

    def stand_still(
        self,
        freezing: Freezing,
        path: str,
        limits: StandstillLimits = STANDSTILL,
        reached: Quiesced = Quiesced.CRASH,
        together: MeetsOthers | None = None,
    ) -> Standstill:
        """Capture a moment at which the source stands still; ``together``: with the others of a group."""
        ...

    def accept_root(self) -> None:
        """The operator says that what stands at the path now is right."""
        ...

    def try_again(self) -> None:
        """Look at what somebody holds shut; to be called now and then."""
        ...

    def between_commits(self, action: Callable[[Catalog], T], *, then_ends: bool) -> T:
        """Have something done with the catalog by the thread that owns it. Raises ``CalledOff`` when capture ends before."""
        ...

    def undisturbed(self) -> AbstractContextManager[None]:
        """Within the block no filesystem is frozen, or kept busy, for a commit that nobody waits for: a program that stops the
        application may unmount it."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing is captured any more."""
        ...

    def facts(self) -> PumpFacts:
        """How it goes."""
        ...

    def hinted(self, most: int) -> Sequence[tuple[bytes, float]]:
        """Paths that wait to be looked at, at most so many, and since when (monotonic seconds)."""
        ...

    def unread(self, most: int) -> Sequence[tuple[ObjectId, bytes, int]]:
        """Names of files that wait to be read for long, each by its parent, with the bytes that are new in it."""
        ...
