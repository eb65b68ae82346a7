"""Barriers that peers ask a primary for: one at a time, those that wait share the next (law 6: nobody can ask it to death)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from agent.core.clock import Clock
from agent.core.errors import HikaeError, TryAgain
from agent.core.ids import NOTHING
from agent.generations.quiescing import Quiescing, StoodStill
from agent.status.text import shown
from agent.stream.messages import AskBarrier, BarrierReached

#: A peer may let the source stand still so often, in seconds between two, and ask at all.
QUIESCE_EVERY = 60.0
EVERY = 1.0


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question of a peer, and whom its answer goes to."""

    ask: AskBarrier
    told: Callable[[BarrierReached], None]


class BarrierDesk:
    """Of one dataset. :meth:`begin` by any thread; a thread of its own lives while anything is asked for."""

    def __init__(self, dataset: str, quiescing: Quiescing, clock: Clock) -> None:
        self._dataset = dataset
        self._quiescing = quiescing
        self._clock = clock
        self._lock = threading.Lock()
        self._closing = False
        #: By peer, the newest question alone: ids rise, and its answer covers those before.
        self._asked: dict[str, _Asked] = {}
        self._last: dict[tuple[str, bool], float] = {}
        self._works = False
        self._thread: threading.Thread | None = None

    def begin(self, peer: str, ask: AskBarrier, told: Callable[[BarrierReached], None]) -> None:
        """See ``stream.sending.sender.PeerBarriers``."""
        if wait := self._too_soon(peer, ask.quiesce):
            told(BarrierReached(ask.id, NOTHING, failed=f"{peer} asked less than {wait:.0f} s ago"))
            return
        with self._lock:
            if self._closing:
                return
            self._asked[peer] = _Asked(ask, told)
            if not self._works:
                self._works = True
                if self._thread is not None:
                    self._thread.join()  # it is at its end
                self._thread = threading.Thread(target=self._run, name=f"barrier-{self._dataset}")
                self._thread.start()

    def close(self) -> None:
        """End what goes on; nobody is told anything more. Waits."""
        with self._lock:
            self._closing = True
            thread = self._thread
        if thread is not None:
            thread.join()

    def _too_soon(self, peer: str, quiesce: bool) -> float:
        """So many seconds must lie between two, where they do not; else it counts."""
        now, every = self._clock.monotonic(), QUIESCE_EVERY if quiesce else EVERY
        with self._lock:
            last = self._last.get((peer, quiesce))
            if last is not None and now - last < every:
                return every
            self._last[peer, quiesce] = now
        return 0.0

    def _run(self) -> None:
        while asked := self._next():
            quiesce = any(one.ask.quiesce for one in asked)
            try:
                stood, failed = self._quiescing.reach(quiesce, self._require_open), ""
            except HikaeError as error:
                stood, failed = StoodStill(NOTHING), shown(str(error))
            for one in asked:
                if not self._closing:
                    one.told(_answer(one.ask, stood, failed))

    def _next(self) -> list[_Asked]:
        """All that wait; none: the thread ends."""
        with self._lock:
            asked = [] if self._closing else list(self._asked.values())
            self._asked.clear()
            self._works = bool(asked)
            return asked

    def _require_open(self) -> None:
        if self._closing:
            raise TryAgain("reach a barrier", self._dataset, "the dataset is being closed", "it is asked again")


def _answer(ask: AskBarrier, stood: StoodStill, failed: str) -> BarrierReached:
    hooks = tuple(map(shown, stood.hooks))
    return BarrierReached(ask.id, stood.number, stood.reached, stood.stood_still, hooks, failed)
