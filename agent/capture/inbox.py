"""What other threads tell the pump and ask of it: hints that wait to be looked at, and whoever waits for a commit.

One lock, which the pump waits on when it has nothing to do. Who is waited for: see ``tickets``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from agent.capture.ports import Session
from agent.capture.pumping.requests import PumpRequests
from agent.capture.tickets import Awaited, Ticket
from agent.core.clock import Clock
from agent.core.ids import ObjectId
from agent.watch.hint import Hint
from agent.watch.settle import GIVEN_BACK, Settle


class Inbox(PumpRequests):
    """Told and asked by any thread, until :meth:`close`; answered by the pump's."""

    def __init__(self, settle: Settle, clock: Clock) -> None:
        super().__init__()
        self._settle = settle
        self._clock = clock
        self._requests: list[Ticket] = []
        self._written: list[tuple[Ticket, Sequence[Hint], Sequence[ObjectId]]] = []
        self._waiting: list[Awaited] = []
        #: Somebody was enlisted and not looked at yet.
        self._is_asked = False
        #: Something may have been missed: nothing is consistent until a whole walk and every hint from before its end are in.
        self._doubt: Awaited | None = None
        self._again: list[Hint] = []

    # --- from any thread

    def hint(self, hints: Sequence[Hint]) -> None:
        """Take hints in: what they point at may have changed."""
        with self._condition:
            self._settle.add(hints, self._clock.monotonic())
            self._condition.notify()

    def hints(self) -> int:
        """How many wait."""
        with self._condition:
            return self._settle.held()

    def waiting(self, most: int) -> list[tuple[bytes, float]]:
        """Paths of hints that wait, at most so many, and since when (monotonic seconds)."""
        with self._condition:
            return self._settle.waiting(most)

    @property
    def in_doubt(self) -> bool:
        """Whether something may have been missed."""
        return self._doubt is not None

    def ask_for_walk(self, ticket: Ticket) -> None:
        """The ticket is done when the whole root was walked, from now on, and all of it is committed."""
        self._enlist(ticket, lambda: self._requests.append(ticket))

    def ask_for_told(self, ticket: Ticket) -> None:
        """The ticket is done when all that was told so far is committed."""

        def add() -> None:
            walk = self._doubt.walk if self._doubt is not None else None
            self._waiting.append(Awaited(ticket, walk=walk, mark=self._flushed()))

        self._enlist(ticket, add)

    def ask_for_look(self, ticket: Ticket, hints: Sequence[Hint]) -> None:
        """The ticket is done when what these point at is committed: whoever asks waits for no walk that goes on."""

        def add() -> None:
            self._settle.add(hints, self._clock.monotonic())
            self._waiting.append(Awaited(ticket, mark=self._flushed(), alone=True))

        self._enlist(ticket, add)

    def ask_for_written(self, ticket: Ticket, hints: Sequence[Hint], objects: Sequence[ObjectId]) -> None:
        """As :meth:`ask_for_look`, and for these objects, wherever they are."""
        self._enlist(ticket, lambda: self._written.append((ticket, hints, objects)))

    def _enlist(self, ticket: Ticket, add: Callable[[], object]) -> None:
        def added() -> None:
            add()
            self._is_asked = True

        super()._enlist(ticket, added)

    def _flushed(self) -> int:
        mark = self._settle.mark()
        self._settle.flush(mark)
        return mark

    # --- by the pump's thread

    def _take_waiting(self) -> list[Ticket]:
        waiting = [one.ticket for one in self._waiting if one.ticket is not None]
        left = [*self._requests, *(written[0] for written in self._written), *waiting]
        self._requests, self._written, self._waiting = [], [], []
        return left

    def is_accepted(self) -> bool:
        """Whether :meth:`take_accepted` would say so; without the lock, as it is asked at every turn."""
        return self._accepts

    def ready(self, most: int) -> tuple[list[Hint], bool]:
        """Hints to be looked at now; and whether anybody waits for what changed."""
        with self._condition:
            now = self._clock.monotonic()
            self._give_again(now)
            return self._settle.ready(now, most), bool(self._waiting) or self._doubt is not None

    def take_all(self) -> list[Hint]:
        """Every hint that waits, however young."""
        with self._condition:
            self._flushed()
            return self._settle.ready(self._clock.monotonic(), sys.maxsize)

    def give_back(self, hints: Sequence[Hint]) -> None:
        """What these led to was forgotten."""
        with self._condition:
            self._settle.returned(hints, self._clock.monotonic())

    def look_again(self, hints: Sequence[Hint]) -> None:
        """Looks gave these back; they go to settle before hints are taken from there, or anybody is told anything."""
        self._again += hints

    def begin_doubt(self, walk: int) -> None:
        """All who wait, wait for this walk of the whole root too, and nothing is consistent before its end."""
        with self._condition:
            self._doubt = Awaited(None, walk=walk)
            for waiting in self._waiting:
                waiting.wait_for_walk(walk)

    def restart(self) -> None:
        """What they waited for went with a session that was closed; the walk that begins now covers it."""
        with self._condition:
            for waiting in self._waiting:
                waiting.restart()

    def begin_walks(self, session: Session) -> bool:
        """Begin a walk of the whole root for each who asked for one; whether anybody did."""
        with self._condition:
            requests, self._requests = self._requests, []
            for ticket in requests:
                self._waiting.append(Awaited(ticket, walk=session.look_at_everything()))
        return bool(requests)

    def begin_written(self, session: Session) -> None:
        """What this process wrote itself waits among the hints from now on."""
        if not self._written:
            return
        with self._condition:
            for ticket, hints, objects in self._written:
                self._settle.add([*hints, *session.hints_of(objects)], self._clock.monotonic())
                self._waiting.append(Awaited(ticket, mark=self._flushed(), alone=True))
            self._written.clear()

    def has_anybody(self) -> bool:
        """Whether anybody waits, or anything is to be looked at again. Without the lock: who comes now wakes the pump."""
        return bool(self._waiting or self._again) or self._doubt is not None

    def covers_anybody(self, session: Session) -> bool:
        """Whether somebody would be answered, or the doubt end, if the batch in hand were committed."""
        with self._condition:
            self._return_again(session)
            waiting = [*self._waiting, *((self._doubt,) if self._doubt is not None else ())]
            return True in [one.covered(self._settle, session.walks, session.outstanding) for one in waiting]

    def take_covered(self, session: Session) -> list[Ticket]:
        """The tickets that the batch in hand covers, which wait no more; the doubt ends too, if the batch covers it."""
        with self._condition:
            self._is_asked = False
            self._return_again(session)
            done = [one for one in self._waiting if one.covered(self._settle, session.walks, session.outstanding)]
            self._waiting = [one for one in self._waiting if one not in done]
            if self._doubt is not None and self._doubt.covered(self._settle, session.walks, session.outstanding):
                self._doubt = None
        return [one.ticket for one in done if one.ticket is not None]

    def rest(self, longest: float, *, held: bool) -> None:
        """Wait until something is to be done, ``longest`` seconds at most. ``held``: no hint can be looked at now."""
        with self._condition:
            if self._is_closed or self._requests or self._accepts or self._errands or (self._written and not held):
                return
            now = self._clock.monotonic()
            due = self._settle.next_due(now) if not held else None
            if not held and (self._is_asked or any(one.mark is None for one in self._waiting)):
                return
            self._condition.wait(longest if due is None else min(longest, max(due - now, 0.0)))

    def _give_again(self, now: float) -> None:
        if self._again:
            self._settle.returned(self._again, now)
            self._again.clear()

    def _return_again(self, session: Session) -> None:
        self._give_again(self._clock.monotonic())
        if self._settle.passed(GIVEN_BACK):
            session.outstanding.looked_at()
