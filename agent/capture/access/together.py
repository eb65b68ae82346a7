"""One moment of several sources: each pump comes to it when it is ready, one freeze holds the filesystems of all, each reads its
own, one thaw lets all go on.

::

    pump of a tree   ─ meet ─┐                       ┌─ drain, read ─┐
    pump of a device ─ meet ─┼─ the last one freezes ┼─ drain, read ─┼─ the same one thaws ─ each commits
    pump of a device ─ meet ─┘    all filesystems    └─ drain, read ─┘

A pump waits for the others for a few seconds at most, and goes on by itself where they do not come. Between freeze and thaw
nobody waits for anything but for the others' reading: the lock of a moment is held by nobody who writes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import Enum

from agent.capture.access.freeze_order import in_freeze_order
from agent.core.errors import HikaeError, Refused, TryAgain
from agent.fs.freezing import MOST_TOGETHER
from agent.fs.thaw_guard import FreezeRoot, FreezingDisks

_OPERATION = "freeze a group together"
#: Seconds beyond the guard's deadline until the one who thaws waits for nobody's reading any more.
_BEYOND = 1.0


class NotTogether(TryAgain):
    """There was no moment of all. Whoever meets it was not frozen, or not for as long as it was needed, and goes on alone."""


@dataclass(frozen=True, slots=True)
class TogetherLimits:
    """Seconds. ``meet``: for which a source that is ready waits for the others."""

    meet: float = 5.0


class _Phase(Enum):
    MEETING = "meeting"
    FREEZING = "freezing"
    FROZEN = "frozen"
    OVER = "over"


class JointFreeze:
    """One moment of the sources of these names, for one try. :meth:`call_off` and ``failure`` by any thread."""

    def __init__(
        self,
        freezing: FreezingDisks,
        names: Iterable[str],
        limits: TogetherLimits = TogetherLimits(),
        order: Callable[[Iterable[FreezeRoot]], list[FreezeRoot]] = in_freeze_order,
    ) -> None:
        #: For so many seconds nobody could write; known once it is over.
        self.stood = 0.0
        #: Why there was no moment of all; None while there may be one.
        self.failure: HikaeError | None = None
        self._freezing = freezing
        self._names = frozenset(names)
        self._limits = limits
        self._order = order
        self._condition = threading.Condition()
        self._phase = _Phase.MEETING
        self._met: set[str] = set()
        self._roots: dict[str, Sequence[FreezeRoot]] = {}
        self._reading: set[str] = set()
        self._seconds = float("inf")

    def seat(self, name: str) -> Seat:
        """The place of one source."""
        return Seat(self, name)

    def call_off(self, error: HikaeError) -> None:
        """Nobody waits for it any more; what is frozen is thawed as soon as all have read."""
        with self._condition:
            self._fail(error)

    # --- by the pumps, through their seats

    def meet(self, name: str) -> None:
        """One is ready; returns when all are. Raises ``NotTogether``."""
        with self._condition:
            self._met.add(name)
            self._condition.notify_all()
            self._await(lambda: self._met == self._names, self._limits.meet)
            if self._met != self._names:
                late = ", ".join(sorted(self._names - self._met))
                reason = (
                    f"{late} was not ready within {self._limits.meet:g} s: many changes, or a look at all of it, go on"
                )
                self._fail(TryAgain(_OPERATION, late, reason, "it is tried again; hikae status shows what goes on"))
            self._require_none()

    @contextmanager
    def frozen(self, name: str, roots: Sequence[FreezeRoot], seconds: float) -> Iterator[None]:
        """Within the block the filesystems of all stand still. Raises ``NotTogether`` before it, or after it."""
        if self._is_last(name, roots, seconds):
            yield from self._led(name)
        else:
            yield from self._followed(name)
        with self._condition:
            self._require_none()

    def _is_last(self, name: str, roots: Sequence[FreezeRoot], seconds: float) -> bool:
        """Whether all the others gave their roots before."""
        with self._condition:
            self._require_none()
            if self._phase is not _Phase.MEETING or name not in self._met:
                raise self._none_of("its moment is over")
            self._roots[name] = roots
            self._seconds = min(self._seconds, seconds)
            if self._roots.keys() != self._names:
                return False
            self._phase = _Phase.FREEZING
            return True

    def _led(self, name: str) -> Iterator[None]:
        """The one who freezes and thaws."""
        began = time.monotonic()
        try:
            roots = self._order(root for roots in self._roots.values() for root in roots)
            with self._all_frozen(roots):
                self._begin_reading()
                try:
                    yield
                finally:
                    self._end_reading(name)
        except (HikaeError, OSError) as error:
            with self._condition:
                self._fail(error if isinstance(error, HikaeError) else _unseen(error))
        finally:
            with self._condition:
                self.stood = time.monotonic() - began
                self._phase = _Phase.OVER
                self._condition.notify_all()

    def _all_frozen(self, roots: list[FreezeRoot]) -> AbstractContextManager[None]:
        """Where nothing can be frozen, each source tells by itself whether it was written meanwhile."""
        if len(roots) > MOST_TOGETHER:
            reason = f"it lies on {len(roots)} filesystems, and {MOST_TOGETHER} can be frozen together"
            raise Refused(_OPERATION, ", ".join(sorted(self._names)), reason, "make two groups of it")
        return self._freezing.all_frozen(roots, self._seconds) if roots else nullcontext()

    def _begin_reading(self) -> None:
        with self._condition:
            self._reading = set(self._names)
            self._phase = _Phase.FROZEN
            self._condition.notify_all()

    def _end_reading(self, name: str) -> None:
        """One has read; the one who thaws waits for the others, but not longer than they stand still."""
        with self._condition:
            self._reading.discard(name)
            self._condition.notify_all()
            self._condition.wait_for(lambda: not self._reading, self._seconds + _BEYOND)

    def _followed(self, name: str) -> Iterator[None]:
        """One of those for whom another one freezes."""
        try:
            self._await_freeze(name)
            yield
        finally:
            with self._condition:
                self._reading.discard(name)
                self._condition.notify_all()
                self._condition.wait_for(lambda: self._phase is not _Phase.FROZEN)

    def _await_freeze(self, name: str) -> None:
        with self._condition:
            self._await(lambda: self._phase is not _Phase.MEETING, self._limits.meet)
            if self._phase is _Phase.MEETING:
                self._fail(TryAgain(_OPERATION, name, "the others did not come to the freeze", "it is tried again"))
            else:
                # Who freezes has asked the guard, which answers, or is found to hang, within a time of its own.
                self._condition.wait_for(lambda: self._phase is not _Phase.FREEZING)
            self._require_none()

    # --- with the lock held

    def _await(self, come: Callable[[], bool], seconds: float) -> None:
        self._condition.wait_for(lambda: come() or self.failure is not None, seconds)

    def _fail(self, error: HikaeError) -> None:
        """The first reason counts. A moment that is over stays what it was."""
        if self.failure is None and self._phase is not _Phase.OVER:
            self.failure = error
        self._condition.notify_all()

    def _require_none(self) -> None:
        if self.failure is not None:
            raise self._none_of(self.failure.reason)

    def _none_of(self, reason: str) -> NotTogether:
        return NotTogether(_OPERATION, ", ".join(sorted(self._names)), reason, "it is tried again")


@dataclass(frozen=True, slots=True)
class Seat:
    """What one pump is given: satisfies ``FreezingDisks`` for the moment of all."""

    joint: JointFreeze
    name: str

    def meet(self) -> None:
        """Be ready, and wait until all are. Raises ``NotTogether``."""
        self.joint.meet(self.name)

    def frozen(self, root_fd: int, path: str, seconds: float) -> AbstractContextManager[None]:
        """See ``Freezing``."""
        return self.joint.frozen(self.name, ((root_fd, path),), seconds)

    def all_frozen(self, roots: Sequence[FreezeRoot], seconds: float) -> AbstractContextManager[None]:
        """See ``FreezingDisks``; ``roots`` may be none."""
        return self.joint.frozen(self.name, roots, seconds)


def _unseen(error: OSError) -> TryAgain:
    reason = f"what is mounted cannot be seen: {error.strerror or error}"
    return TryAgain(_OPERATION, str(error.filename or ""), reason, "see the kernel log (dmesg)")
