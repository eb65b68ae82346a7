"""How fast other nodes may take the numbers of epochs: each is believed a step ahead, and a step again after each commit, so that
one which is hostile could else use all of them up within minutes. Then nobody could be promoted any more (law 6)."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from agent.core.clock import Clock
from agent.core.ids import EPOCH_STEP, Epoch
from agent.core.problem_codes import EPOCH_TOO_HIGH
from agent.stream.messages import Refuse


@dataclass(frozen=True, slots=True)
class EpochPaceLimits:
    """``burst``: numbers that may be taken at once, more than the largest step that is believed; ``every``: seconds after which
    there is one more. All that there are last sixteen years so."""

    burst: int = EPOCH_STEP + 64
    every: float = 60.0


class EpochPace:
    """Of one dataset; outlives its calls and its openings. Thread-safe."""

    def __init__(self, clock: Clock, limits: EpochPaceLimits = EpochPaceLimits()) -> None:
        self._clock = clock
        self._limits = limits
        self._lock = threading.Lock()
        self._left = float(limits.burst)
        self._at = clock.monotonic()

    def takes(self, epoch: Epoch, known: int) -> bool:
        """Whether ``epoch`` may be met now by who knows ``known``; then its numbers are taken."""
        numbers = epoch.number - known
        with self._lock:
            now = self._clock.monotonic()
            gained = (now - self._at) / self._limits.every
            self._left, self._at = min(self._limits.burst, self._left + gained), now
            if numbers > self._left:
                return False
            self._left -= max(0, numbers)
            return True


def too_soon(speaker: str, epoch: Epoch) -> Refuse:
    """What is said of an epoch that comes too soon after others."""
    reason = f"epoch {epoch.number} of {speaker} comes too soon after so many others"
    remedy = f"look at {speaker}: its agent is faulty or hostile; else it is believed in some minutes, by itself"
    return Refuse(EPOCH_TOO_HIGH, reason, remedy)
