"""What this node says of a dataset to each peer, and what each peer said of it last.

::

    facts ─→ Standings.say ─→ Telling.due ─→ Heartbeat (primary), Progress (secondary) ─→ Telling.heard ─→ facts there
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from agent.core.clock import Clock
from agent.core.skew import ClockReading, Comparisons
from agent.core.standing import PeerStanding, Standing
from agent.stream.comparing import Comparing
from agent.stream.messages import Heartbeat, Progress

#: A change is told so soon after the one before, in seconds; the progress of a sync less often.
CHANGE_SECONDS = 0.1
PROGRESS_SECONDS = 1.0


class Standings:
    """Of one dataset on one node; outlives its calls and its openings. Thread-safe.

    ``changed`` is called when a peer said something new; it must not block. What is heard is kept in memory only. ``clocks``:
    the node's, told how far its clock and the peers' are apart."""

    def __init__(self, clock: Clock, changed: Callable[[], None], clocks: Comparisons | None = None) -> None:
        self.clocks = clocks
        self._clock = clock
        self._changed = changed
        self._lock = threading.Lock()
        self._own: dict[str, Standing] = {}
        self._told: dict[str, PeerStanding] = {}
        self._watchers: list[Callable[[], None]] = []

    def say(self, peer: str, standing: Standing) -> None:
        """From now on this is what ``peer`` is told; the watchers are woken when it is news."""
        with self._lock:
            if self._own.get(peer) == standing:
                return
            self._own[peer] = standing
            watchers = tuple(self._watchers)
        for wake in watchers:
            wake()

    def own(self, peer: str) -> Standing | None:
        """What ``peer`` is to be told; None before there is anything."""
        return self._own.get(peer)

    def heard(self, peer: str, standing: Standing) -> None:
        """``peer``, whose name its certificate proved, says this."""
        with self._lock:
            before = self._told.get(peer)
            self._told[peer] = PeerStanding(standing, self._clock.now_ns())
        if before is None or before.standing != standing:
            self._changed()

    def told(self, peer: str) -> PeerStanding | None:
        """What ``peer`` said last, in whatever call; None before any word."""
        return self._told.get(peer)

    def watch(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` whenever there is something else to say; it must not block."""
        with self._lock:
            self._watchers.append(wake)

    def unwatch(self, wake: Callable[[], None]) -> None:
        """End :meth:`watch`. Unknown ones are no error."""
        with self._lock:
            if wake in self._watchers:
                self._watchers.remove(wake)


class Telling:
    """What was said to one peer in one call, and so what is due. :meth:`due` and :meth:`clock` by the thread that speaks,
    :meth:`heard` by the one that hears, :meth:`waits` by any."""

    def __init__(self, standings: Standings | None, peer: str, clock: Clock) -> None:
        self._standings = standings
        self._peer = peer
        self._clock = clock
        self._said: Standing | None = None
        self._said_at = 0.0
        self._ending = False
        self._comparing = Comparing(peer, clock, standings.clocks if standings is not None else None)

    def heard(self, part: Heartbeat | Progress) -> None:
        """What the peer says of itself with this part."""
        if part.standing is not None and self._standings is not None:
            self._standings.heard(self._peer, part.standing)
        if part.clock is not None:
            self._comparing.heard(part.clock)

    def answer(self, part: Heartbeat) -> ClockReading | None:
        """What our clocks show, for the answer to ``part`` where that told of the peer's."""
        return self._comparing.answer() if part.clock is not None else None

    def clock(self) -> ClockReading | None:
        """What our clocks show, if that is to be said now; it counts as said."""
        return self._comparing.due() if self._standings is not None else None

    def ends(self) -> None:
        """The call comes to its end: why is told at once, however lately something was said. Any thread."""
        self._ending = True

    def due(self) -> Standing | None:
        """What is to be said now; it counts as said."""
        own = self._due()
        if own is not None:
            self._said, self._said_at = own, self._clock.monotonic()
        return own

    @property
    def waits(self) -> bool:
        """Whether something is to be said now."""
        return self._due() is not None or (self._standings is not None and self._comparing.waits)

    def _due(self) -> Standing | None:
        own = self._standings.own(self._peer) if self._standings is not None else None
        if own is None or own is self._said:
            return None
        if self._said is None or self._ending:
            return own
        least = CHANGE_SECONDS if own.differs(self._said) else PROGRESS_SECONDS
        return own if self._clock.monotonic() - self._said_at >= least else None
