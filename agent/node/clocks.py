"""The clock of this node beside those of its peers: one problem that names who is how far apart, and ends with it."""

from __future__ import annotations

import threading
from collections.abc import Collection

from agent.core.clock import Clock
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import CLOCK
from agent.core.skew import APART_NS, Skew, is_apart
from agent.status.figures import span_text

#: After a step of our own clock a peer that is connected is compared with again within this, in seconds; nothing is said before.
COMPARED_WITHIN = 15.0
_REMEDY = (
    "on both nodes: date (beside a watch that is right); then, on the wrong one: timedatectl set-ntp true; hikae goes on "
    "meanwhile, and RECEIVED and APPLIED show the primary's time"
)


class Clocks:
    """Of one node. :meth:`compared` by any thread, :meth:`tick` by the node's own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._skews: dict[str, Skew] = {}
        self._apart: set[str] = set()
        self._offset = self._offset_now()
        self._step = 0
        self._stepped_at = 0.0

    def compared(self, peer: str, skew: Skew) -> None:
        """See ``core.skew.Comparisons``. Our own clock has a witness now: what it did before is of no more interest."""
        with self._lock:
            self._note_step()
            self._skews[peer] = skew
            self._judge(peer, begins=True)
            self._step = 0

    def keep_only(self, peers: Collection[str]) -> None:
        """These are the peers now: what was known of others' clocks is of no more interest."""
        with self._lock:
            self._skews = {peer: skew for peer, skew in self._skews.items() if peer in peers}
            self._apart &= set(peers)

    def tick(self, board: ProblemBoard) -> None:
        """Once a second: look at our own clock, and say what is so."""
        found = self.apart()
        if not found:
            board.clear(CLOCK)
            return
        board.put(Problem(CLOCK, Severity.WARNING, self._clock.now_ns(), b"", found, _REMEDY))

    def apart(self) -> str:
        """What is wrong with this node's clock beside those of its peers; "" if nothing is. Any thread."""
        with self._lock:
            self._note_step()
            return "; ".join([self._of_peer(peer) for peer in sorted(self._apart)] or self._of_step())

    def _note_step(self) -> None:
        """Our clock was set since the last look. What was known of peers moves with it, which may end a problem; that it begins
        one the next comparison must say, since a machine that slept looks the same."""
        before, self._offset = self._offset, self._offset_now()
        step = self._offset - before
        # A clock that is slewed, and the two readings of one look, differ by less.
        if abs(step) < 10**9:
            return
        self._step += step
        self._stepped_at = self._clock.monotonic()
        for peer, skew in self._skews.items():
            self._skews[peer] = skew.moved(step)
            self._judge(peer, begins=False)

    def _judge(self, peer: str, begins: bool) -> None:
        apart = is_apart(self._skews[peer], peer in self._apart)
        if apart and begins:
            self._apart.add(peer)
        elif not apart:
            self._apart.discard(peer)

    def _of_peer(self, peer: str) -> str:
        ahead = self._skews[peer].middle
        way = "ahead of" if ahead > 0 else "behind"
        return f"the clock of {peer} is about {_span(ahead)} {way} this node's"

    def _of_step(self) -> list[str]:
        """Our own clock was set by much, and there has been nobody since to compare it with."""
        if abs(self._step) <= APART_NS or self._clock.monotonic() - self._stepped_at < COMPARED_WITHIN:
            return []
        way = "forward" if self._step > 0 else "back"
        return [f"the clock of this node was set {way} by {_span(self._step)}, and no peer was reached since"]

    def _offset_now(self) -> int:
        return self._clock.now_ns() - int(self._clock.monotonic() * 1e9)


def _span(ns: int) -> str:
    """How long that is, to ten seconds: a comparison is no better."""
    return span_text(round(abs(ns) / 1e10) * 10)
