"""How much a peer may say in one call, for what was said to it. A secondary that talks without an end would have a core of the
primary to itself, and each of its words counts the more the shorter it is (law 6)."""

from __future__ import annotations

import threading

from agent.core.clock import Clock
from agent.stream.messages import bad

#: Parts that a peer may say at once, and for each part that it is told; and unasked in a second. Honest ones say two for a part,
#: how far they are ten times a second, and how they stand as often.
AT_ONCE, FOR_EACH, A_SECOND = 2000, 4, 200


class Words:
    """Of one call. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left = float(AT_ONCE)
        self._at = clock.monotonic()

    def told(self, parts: int) -> None:
        """The peer was told so many parts: it has that more to say."""
        with self._lock:
            self._left = min(float(AT_ONCE), self._left + FOR_EACH * parts)

    def heard(self, parts: int) -> None:
        """It said a message of so many parts. Raises ``WireError`` when that is too much."""
        with self._lock:
            now = self._clock.monotonic()
            self._left = min(float(AT_ONCE), self._left + (now - self._at) * A_SECOND) - max(1, parts)
            self._at = now
            if self._left < 0:
                raise bad("more words than there is to say")
