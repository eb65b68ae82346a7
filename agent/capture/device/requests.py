"""What other threads tell a device's pump and ask of it. One lock, on which the pump waits when it has nothing to do."""

from __future__ import annotations

from collections.abc import Sequence

from agent.capture.access.standstill import Standstill
from agent.capture.pumping.requests import PumpRequests
from agent.capture.tickets import Ticket


class DeviceRequests(PumpRequests):
    """Told and asked by any thread, until :meth:`close`; answered by the pump's."""

    def __init__(self) -> None:
        super().__init__()
        self._tickets: list[Ticket] = []
        #: Who waits for chunks to be read, and not for a moment.
        self._readers: list[Ticket] = []
        self._walks: list[Ticket] = []
        self._numbers: set[int] = set()
        self._is_dirty = False
        self._held_off = 0

    # --- from any thread

    def wake(self) -> None:
        """Something of the device became dirty."""
        with self._condition:
            self._is_dirty = True
            self._condition.notify()

    def ask(self, ticket: Ticket) -> None:
        """The ticket is done with the first commit whose moment comes after now."""
        self._enlist(ticket, lambda: self._tickets.append(ticket))

    def ask_for_chunks(self, ticket: Ticket, numbers: Sequence[int]) -> None:
        """The ticket is done with the first commit for which these chunks were read after now."""

        def add() -> None:
            self._readers.append(ticket)
            self._numbers.update(numbers)

        self._enlist(ticket, add)

    def ask_for_walk(self, ticket: Ticket) -> None:
        """The ticket is done when all of the device was read, from now on, and is committed."""
        self._enlist(ticket, lambda: self._walks.append(ticket))

    def hold_off(self, by: int) -> None:
        """One more (1), or one less (-1), wants no commit that nobody waits for."""
        with self._condition:
            self._held_off += by
            self._condition.notify()

    # --- by the pump's thread

    @property
    def is_urgent(self) -> bool:
        """Whether somebody waits for a commit."""
        asked = self.standstill
        return bool(self._tickets or self._readers) or (asked is not None and not asked.is_over)

    @property
    def is_held_off(self) -> bool:
        """Whether no commit is wanted now, since nobody waits for one."""
        return self._held_off > 0 and not self.is_urgent

    @property
    def is_dirty(self) -> bool:
        """Whether something became dirty since :meth:`take_dirty`."""
        return self._is_dirty or bool(self._numbers)

    @property
    def wants_chunks(self) -> bool:
        """Whether somebody waits for chunks alone."""
        return bool(self._readers)

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
            tickets, self._tickets, self._readers = [*self._tickets, *self._readers], [], []
        return tickets

    def take_readers(self) -> tuple[list[Ticket], set[int]]:
        """All who wait for chunks alone, and these."""
        with self._condition:
            readers, self._readers = self._readers, []
            numbers, self._numbers = self._numbers, set()
        return readers, numbers

    def take_walks(self) -> list[Ticket]:
        """All who wait for a walk that begins now."""
        with self._condition:
            walks, self._walks = self._walks, []
        return walks

    def take_standstill(self) -> Standstill | None:
        """Who asked for a moment and still waits; it is to be answered."""
        asked = self.standstill
        return asked if asked is not None and not asked.is_over else None

    def rest(self, longest: float, *, held: bool = False) -> None:
        """Wait until something is asked or told, ``longest`` seconds at most. ``held``: nothing can be read, whoever waits."""
        with self._condition:
            waits = not held and (bool(self._walks) or self.is_urgent)
            if not (self._is_closed or self._errands or self._accepts or waits):
                self._condition.wait(longest)

    def _take_waiting(self) -> list[Ticket]:
        tickets = [*self._tickets, *self._readers, *self._walks]
        self._tickets, self._readers, self._walks = [], [], []
        return tickets
