"""A moment of the tree, captured: asked for by any thread, done by the pump's.

::

    nothing is in hand, few hints wait → freeze → the watcher gives out what the kernel has queued → every hint is taken and
    what it points at is read into locked memory → thaw → the same looks as always, over that image → one commit

    or: → snapshot → the watcher gives out … → every hint is taken → the same looks, over the snapshot → one commit, every hint
    is given back, as some of them tell of what came after the moment → the snapshot is dropped

Where too much changes at once, or what was looked at besides has changed since, hints go back and it is tried again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent.capture.access.image import FrozenImage, ImageFull, ImageLimits, LockedMemory
from agent.capture.ports import FrozenSession, Session
from agent.core.commit import Quiesced
from agent.core.errors import CalledOff, HikaeError, TryAgain
from agent.core.ids import CommitNumber
from agent.fs.thaw_guard import Freezing, FreezingDisks
from agent.watch.hint import Hint, Look, Passing

#: What changed longer ago was captured, or is among the hints with more than its time.
_LATELY_NS = 60 * 10**9
_IMAGE = ImageLimits()


@dataclass(frozen=True, slots=True)
class StandstillLimits:
    """``hints``: so many may wait when it is frozen; ``tries``: how often it may be frozen for one moment; ``deadline``:
    seconds after which the guard thaws it; ``drain``: seconds for the watcher to give out what the kernel has queued."""

    image: ImageLimits = _IMAGE
    hints: int = 4000
    tries: int = 5
    between: float = 0.25
    deadline: float = 5.0
    drain: float = 0.5


#: While a snapshot is read nobody stands still, so a watcher that polls may come to its end.
OF_A_SNAPSHOT = StandstillLimits(drain=10.0)


@dataclass(frozen=True, slots=True)
class StoodAt:
    """``number``: the commit of what stood there; ``seconds``: how long nobody could write, at the try that counts."""

    number: CommitNumber
    seconds: float


class MeetsOthers(FreezingDisks, Protocol):
    """Freezes the filesystems of several sources together: the seat of one of them (``capture.access.together``)."""

    def meet(self) -> None:
        """This source is ready; returns when all are. Raises ``NotTogether``."""
        ...


@dataclass(slots=True)
class Standstill:
    """One moment that is asked for. ``freezing``: what lets the filesystem stand still, None for a moment that a snapshot keeps;
    ``path`` names the root to people; ``set_barrier``: see ``Watcher``; ``reached``: what is told of its commit; ``together``:
    the sources of a group have it in common, and this freezes them all."""

    freezing: Freezing | None
    path: str
    set_barrier: Callable[[], Passing]
    limits: StandstillLimits
    reached: Quiesced = Quiesced.CRASH
    together: MeetsOthers | None = None
    tried: int = 0
    due: float = 0.0
    why_again: str = "nothing was tried yet: a walk, a large file or many changes go on"
    _done: threading.Event = field(default_factory=threading.Event)
    _stood: StoodAt | None = None
    _error: HikaeError | None = None

    # --- by who asks

    def wait(self, timeout: float) -> StoodAt:
        """What came of it. Raises ``TryAgain`` while there is nothing yet, ``CalledOff`` when capture stopped, else why it
        cannot be done at all."""
        if not self._done.wait(timeout):
            raise TryAgain("capture a moment that stands still", self.path, self.why_again, "wait longer")
        if self._error is not None:
            raise self._error
        assert self._stood is not None
        return self._stood

    # --- by the pump

    def meet(self) -> None:
        """Before it is frozen: wait for the others of its moment. Raises ``NotTogether``."""
        if self.together is not None:
            self.together.meet()

    @property
    def is_over(self) -> bool:
        """Whether who asks was answered, or does not wait any more."""
        return self._done.is_set()

    def give_up(self, error: HikaeError) -> None:
        """It cannot be done."""
        if not self._done.is_set():
            self._error = error
            self._done.set()

    def cancel(self, reason: str) -> None:
        """Nobody will do it."""
        self.give_up(CalledOff("capture a moment that stands still", self.path, reason, "try again when capture runs"))

    def finish(self, stood: StoodAt) -> None:
        """It was captured, and is durable here."""
        if not self._done.is_set():
            self._stood = stood
            self._done.set()

    def refused(self, error: HikaeError) -> None:
        """This try was in vain, and where the error will not pass there is no other."""
        self.again(error.reason)
        if not isinstance(error, TryAgain):
            self.give_up(error)

    def again(self, why: str) -> None:
        """This try was in vain."""
        self.why_again, self.due = why, time.monotonic() + self.limits.between
        if self.tried >= self.limits.tries:
            tries = f"in {self.tried} tries: {why}"
            self.give_up(TryAgain("capture a moment that stands still", self.path, tries, "try when less changes"))


def freeze_and_read(
    asked: Standstill,
    freezing: Freezing,
    session: Session,
    memory: LockedMemory,
    take_hints: Callable[[], Sequence[Hint]],
) -> tuple[FrozenImage | None, Sequence[Hint], float]:
    """The image of a moment; the hints that were taken for it, which are to be given back if it is None; for how many seconds
    nobody could write."""
    asked.tried += 1
    hints: Sequence[Hint] = ()
    image: FrozenImage | None = None
    reader = session.reader(memory.view, time.time_ns() - _LATELY_NS, asked.limits.image)
    began = time.monotonic()
    why = ""
    try:
        asked.meet()
        began = time.monotonic()
        with (asked.together or freezing).frozen(session.root_fd, asked.path, asked.limits.deadline):
            # From here to the end of the block: no SQLite, no log, no lock that somebody holds who writes.
            if asked.set_barrier()(asked.limits.drain):
                hints = take_hints()
                try:
                    image = reader.read(hints)
                except (ImageFull, OSError) as error:
                    why = str(error)
            else:
                why = "the watcher did not tell in time what was written"
    except HikaeError as error:
        reader.image.close()
        asked.refused(error)
        return None, hints, time.monotonic() - began
    seconds = time.monotonic() - began
    if image is None:
        reader.image.close()
        asked.again(why)
    return image, hints, seconds


def looked_over(frozen: FrozenSession, hints: Sequence[Hint]) -> str | None:
    """Bring the batch up to what the image or the snapshot shows; why it is not what stood there at the moment, None when it
    is."""
    session = frozen.session
    again: list[Hint] = []
    for hint in hints:
        if not hint.path and hint.look is not Look.ENTRY:
            return "the whole tree is to be looked at first"
        again += _looked(session, hint)
    while session.is_busy():
        again += session.turn().again
    settled = session.settle_batch()
    again += settled.again
    missed = frozen.missed()
    if missed is not None:
        return missed
    if again:
        return f"{len(again)} entries have to be looked at again"
    return None if settled.is_right else "what was seen does not fit together"


def _looked(session: Session, hint: Hint) -> Sequence[Hint]:
    looking = session.look(hint)
    while True:
        try:
            next(looking)
        except StopIteration as end:
            found: Sequence[Hint] = end.value
            return found
