"""How fast something moves, and when a peer will have caught up. Pure: time is given."""

from __future__ import annotations

import threading
from collections import deque

#: Rates are means over this long, in seconds: longer than a batch takes on a slow link, short enough to follow a change.
WINDOW = 10.0
_STEP = 1.0
#: A lead of less than this share is noise, not catching up.
_LEAD = 0.02


class Meter:
    """Bytes a second of a count that only rises. Thread-safe; keeps a value a second of the last ``window`` seconds."""

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._lock = threading.Lock()
        self._points: deque[tuple[float, int]] = deque()

    def count(self, now: float, total: int) -> None:
        """The count stands at ``total`` at ``now`` (monotonic seconds). One that falls begins anew."""
        with self._lock:
            points = self._points
            if points and total < points[-1][1]:
                points.clear()
            if len(points) > 1 and now - points[-2][0] < _STEP:
                points.pop()
            points.append((now, total))
            while len(points) > 2 and now - points[1][0] >= self._window:
                points.popleft()

    def rate(self) -> float:
        """Bytes a second over the window; 0.0 before there are two values a moment apart."""
        with self._lock:
            if len(self._points) < 2:
                return 0.0
            (began, first), (ended, last) = self._points[0], self._points[-1]
            return (last - first) / (ended - began) if ended > began else 0.0


def forecast_seconds(behind: int, gains: float, changes: float) -> float | None:
    """Seconds until ``behind`` bytes are worked off at ``gains`` bytes a second while ``changes`` bytes a second come on top;
    None when they never are."""
    if behind <= 0:
        return 0.0
    lead = gains - changes
    if lead <= gains * _LEAD:
        return None
    return behind / lead
