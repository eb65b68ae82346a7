"""What is still to be done, and who waits for it: barriers, reconciles, and the doubt of law 3."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from agent.capture.outstanding import Outstanding
from agent.core.commit import ORDINARY, Provenance
from agent.core.errors import CalledOff, TryAgain
from agent.core.ids import NOTHING, CommitNumber
from agent.store.catalog.catalog import Catalog
from agent.watch.hint import Passing
from agent.watch.settle import Settle

ResultT = TypeVar("ResultT")


class Ticket:
    """Waits until everything up to some moment is in a commit that is durable here."""

    def __init__(self, what: str, made: Provenance = ORDINARY) -> None:
        """``made``: what is to be told of its commit, which is one of its own then, if need be without changes."""
        self.made = made
        self._what = what
        self._done = threading.Event()
        self._number = NOTHING
        self._cancelled: str | None = None

    def wait(self, timeout: float | None) -> CommitNumber:
        """The newest commit that covers it. Raises ``TryAgain`` when it takes longer, ``CalledOff`` when capture stopped."""
        if not self._done.wait(timeout):
            raise TryAgain(self._what, "", "it is not captured yet", "wait longer, or look at status")
        if self._cancelled is not None:
            raise CalledOff(self._what, "", self._cancelled, "try again when capture runs")
        return self._number

    def finish(self, number: CommitNumber) -> None:
        """By the pump only: it is covered by this commit."""
        self._number = number
        self._done.set()

    def cancel(self, reason: str) -> None:
        """By the pump only: nobody will cover it."""
        if not self._done.is_set():
            self._cancelled = reason
            self._done.set()


class Barrier:
    """Waits until everything that system calls had written when it was made is in a commit that is durable here: first for
    the watcher, which has to have told of it, then for a ticket. For one thread.

    ``set_barrier``: the watcher's; ``enlist`` gives a ticket that covers what was told so far."""

    def __init__(self, set_barrier: Callable[[], Passing], enlist: Callable[[], Ticket]) -> None:
        self._set_barrier = set_barrier
        self._enlist = enlist
        self._passing = set_barrier()
        self._ticket: Ticket | None = None
        self._passes(0.0)

    def wait(self, timeout: float) -> CommitNumber:
        """As :meth:`Ticket.wait`; it may be called again, and goes on where it was."""
        deadline = time.monotonic() + timeout
        ticket = self._passes(timeout)
        if ticket is None:
            raise TryAgain("barrier", "", "the watcher has not told yet what was written", "wait longer, or reconcile")
        return ticket.wait(max(0.0, deadline - time.monotonic()))

    def _passes(self, timeout: float) -> Ticket | None:
        if self._ticket is None:
            passed = self._passing(timeout)
            if passed:
                self._ticket = self._enlist()
            elif passed is None:
                # The watch broke, or is none yet: the next one covers what was written before it, since all is looked at.
                self._passing = self._set_barrier()
        return self._ticket


@dataclass(slots=True)
class Awaited:
    """How far something that is waited for has come: the end of a walk of the whole root (if it waits for one), every hint
    from before ``mark`` (None: from before that end), then all work that those began. ``alone``: it waits for no walk."""

    ticket: Ticket | None
    walk: int | None = None
    mark: int | None = None
    serial: int | None = None
    alone: bool = False

    def wait_for_walk(self, walk: int) -> None:
        """The ticket is not covered before this walk of the whole root, and hints from before its mark, if it has one."""
        if not self.alone:
            self.walk = walk

    def restart(self) -> None:
        """What it waited for went with a root that was closed: the next walk covers it."""
        self.walk = self.mark = self.serial = None

    def covered(self, settle: Settle, walks: Outstanding, outstanding: Outstanding) -> bool:
        """Whether all of it is in the batch or committed. Called with settle's lock held, when no hint is in hand."""
        if self.walk is not None:
            if not walks.passed(self.walk):
                return False
            self.walk = None
        if self.mark is None:
            self.mark = settle.mark()
            settle.flush(self.mark)
        if not settle.passed(self.mark):
            return False
        if self.serial is None:
            self.serial = outstanding.await_last()
        return outstanding.passed(self.serial)


class Errand(Generic[ResultT]):
    """What another thread wants done with the catalog by the one that owns it: done once, or called off. ``then_ends``: capture
    ends with it, unless it failed."""

    def __init__(self, action: Callable[[Catalog], ResultT], *, then_ends: bool) -> None:
        self._action = action
        self._then_ends = then_ends
        self._done = threading.Event()
        self._result: list[ResultT] = []
        self._error: BaseException | None = None

    def do(self, catalog: Catalog) -> bool:
        """By the owner's thread; whether capture is to end. What it raises is its asker's."""
        try:
            self._result.append(self._action(catalog))
        except BaseException as error:  # noqa: BLE001  raised again where it was asked for
            self._error = error
        self._done.set()
        return self._then_ends and self._error is None

    def call_off(self, reason: str) -> None:
        """Nobody will do it."""
        self._error = CalledOff("change the catalog", "", reason, "it is tried again once the dataset runs")
        self._done.set()

    def result(self) -> ResultT:
        """What came of it; waits for that."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result[0]
