"""What other threads ask of a pump, whatever it captures. One lock, on which the pump waits when it has nothing to do."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from agent.capture.access.standstill import Standstill
from agent.capture.tickets import Errand, Ticket

_STOPPED, _STOPS = "capture is stopped", "capture stopped"


class PumpRequests(ABC):
    """Asked by any thread, until :meth:`close`; answered by the pump's."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._errands: list[Errand[Any]] = []
        self._accepts = self._is_closed = False
        #: A moment that somebody wants captured while the source stands still.
        self.standstill: Standstill | None = None

    # --- from any thread

    @abstractmethod
    def ask_for_walk(self, ticket: Ticket) -> None:
        """The ticket is done when the whole source was looked at, from now on, and all of it is committed."""

    def ask_for_standstill(self, asked: Standstill) -> None:
        """A moment is to be captured while the source stands still; one at a time, an earlier one is called off."""
        with self._condition:
            before, self.standstill = self.standstill, asked
            closed = self._is_closed
            self._condition.notify()
        if before is not None:
            before.cancel("another one was asked for")
        if closed:
            asked.cancel(_STOPPED)

    def ask_for_errand(self, errand: Errand[Any]) -> None:
        """Something is to be done by the pump's thread between two commits."""
        with self._condition:
            if not self._is_closed:
                self._errands.append(errand)
                self._condition.notify()
                return
        errand.call_off(_STOPPED)

    def accept_root(self) -> None:
        """The operator says that what stands at the source's path now is right."""
        with self._condition:
            self._accepts = True
            self._condition.notify()

    def close(self) -> None:
        """Nobody is enlisted any more; the pump wakes up."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()

    def _enlist(self, ticket: Ticket, add: Callable[[], object]) -> None:
        """``add`` puts the ticket where it waits, under the lock: the pump takes a list away and puts another in its place."""
        with self._condition:
            if not self._is_closed:
                add()
                self._condition.notify()
                return
        ticket.cancel(_STOPPED)

    # --- by the pump's thread

    def take_errand(self) -> Errand[Any] | None:
        """The next of them; looked for without the lock, as it is asked at every turn."""
        if not self._errands:
            return None
        with self._condition:
            return self._errands.pop(0)

    def take_accepted(self) -> bool:
        """Whether the operator accepted what stands there, since this was last asked."""
        with self._condition:
            accepted, self._accepts = self._accepts, False
        return accepted

    def cancel_all(self) -> None:
        """The pump ends: nobody is answered any more."""
        with self._condition:
            self._is_closed = True
            tickets = self._take_waiting()
            errands, self._errands = self._errands, []
        for errand in errands:
            errand.call_off(_STOPS)
        for ticket in tickets:
            ticket.cancel(_STOPS)
        if self.standstill is not None:
            self.standstill.cancel(_STOPS)

    @abstractmethod
    def _take_waiting(self) -> list[Ticket]:
        """All who wait for a commit, and do so no more. Under the lock."""
