"""What other threads tell a device's pump and ask of it. One lock, on which the pump waits when it has nothing to do."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from agent.capture.access.standstill import Standstill
from agent.capture.tickets import Errand, Ticket


class DeviceRequests:
    """Told and asked by any thread, until :meth:`close`; answered by the pump's."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._tickets: list[Ticket] = []
        self._walks: list[Ticket] = []
        self._numbers: set[int] = set()
        self._errands: list[Errand[Any]] = []
        self._standstill: Standstill | None = None
        self._is_dirty = self._accepts = self._is_closed = False
        self._held_off = 0

    # --- from any thread

    def wake(self) -> None:
        """Something of the device became dirty."""
        with self._condition:
            self._is_dirty = True
            self._condition.notify()

    def ask(self, ticket: Ticket, numbers: Sequence[int] = ()) -> None:
        """The ticket is done with the first commit whose moment comes after now; these chunks are read for it."""
        self._enlist(ticket, self._tickets)
        with self._condition:
            self._numbers.update(numbers)

    def ask_for_walk(self, ticket: Ticket) -> None:
        """The ticket is done when all of the device was read, from now on, and is committed."""
        self._enlist(ticket, self._walks)

    def ask_for_standstill(self, asked: Standstill) -> None:
        """A moment is asked for; an earlier one is called off."""
        with self._condition:
            before, self._standstill = self._standstill, asked
            closed = self._is_closed
            self._condition.notify()
        if before is not None:
            before.cancel("another one was asked for")
        if closed:
            asked.cancel("capture is stopped")

    def ask_for_errand(self, errand: Errand[Any]) -> None:
        """Something is to be done by the pump's thread between two commits."""
        with self._condition:
            if not self._is_closed:
                self._errands.append(errand)
                self._condition.notify()
                return
        errand.call_off("capture is stopped")

    def accept(self) -> None:
        """The operator says that what stands at the path now is right."""
        with self._condition:
            self._accepts = True
            self._condition.notify()

    def hold_off(self, by: int) -> None:
        """One more (1), or one less (-1), wants no commit that nobody waits for."""
        with self._condition:
            self._held_off += by
            self._condition.notify()

    def close(self) -> None:
        """Nobody is enlisted any more; the pump wakes up."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()

    def _enlist(self, ticket: Ticket, among: list[Ticket]) -> None:
        with self._condition:
            if not self._is_closed:
                among.append(ticket)
                self._condition.notify()
                return
        ticket.cancel("capture is stopped")

    # --- by the pump's thread

    @property
    def is_urgent(self) -> bool:
        """Whether somebody waits for a commit."""
        asked = self._standstill
        return bool(self._tickets) or (asked is not None and not asked.is_over)

    @property
    def is_held_off(self) -> bool:
        """Whether no commit is wanted now, since nobody waits for one."""
        return self._held_off > 0 and not self.is_urgent

    @property
    def is_dirty(self) -> bool:
        """Whether something became dirty since :meth:`take_dirty`."""
        return self._is_dirty or bool(self._numbers)

    @property
    def wants_walk(self) -> bool:
        """Whether somebody waits for all to be read."""
        return bool(self._walks)

    def take_dirty(self) -> set[int]:
        """Before the tracker is asked: what it tells from now on is news again. Chunks that somebody wants read."""
        with self._condition:
            self._is_dirty = False
            numbers, self._numbers = self._numbers, set()
        return numbers

    def take_tickets(self) -> list[Ticket]:
        """All who wait for a moment that comes now."""
        with self._condition:
            tickets, self._tickets = self._tickets, []
        return tickets

    def take_walks(self) -> list[Ticket]:
        """All who wait for a walk that begins now."""
        with self._condition:
            walks, self._walks = self._walks, []
        return walks

    def take_standstill(self) -> Standstill | None:
        """Who asked for a moment and still waits; it is to be answered."""
        asked = self._standstill
        return asked if asked is not None and not asked.is_over else None

    def take_errand(self) -> Errand[Any] | None:
        """The next of them."""
        if not self._errands:
            return None
        with self._condition:
            return self._errands.pop(0)

    def take_accepted(self) -> bool:
        """Whether the operator accepted what stands there, since this was last asked."""
        with self._condition:
            accepted, self._accepts = self._accepts, False
        return accepted

    def rest(self, longest: float, *, held: bool = False) -> None:
        """Wait until something is asked or told, ``longest`` seconds at most. ``held``: nothing can be read, whoever waits."""
        with self._condition:
            waits = not held and (bool(self._walks) or self.is_urgent)
            if not (self._is_closed or self._errands or self._accepts or waits):
                self._condition.wait(longest)

    def cancel_all(self) -> None:
        """The pump ends: nobody is answered any more."""
        with self._condition:
            self._is_closed = True
            tickets, self._tickets, self._walks = [*self._tickets, *self._walks], [], []
            errands, self._errands = self._errands, []
        for errand in errands:
            errand.call_off("capture stopped")
        for ticket in tickets:
            ticket.cancel("capture stopped")
        if self._standstill is not None:
            self._standstill.cancel("capture stopped")
