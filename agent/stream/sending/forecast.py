"""How fast something moves, and when a peer will have caught up. Pure: time is given."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from agent.core.standing import NEVER

#: Rates are means over this long, in seconds: longer than a batch takes on a slow link, short enough to follow a change.
WINDOW = 10.0
_STEP = 1.0
#: What changes may be a burst: it goes on only if it does in each of so many parts of the window.
_PARTS = 3
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
            return _slope(self._points[0], self._points[-1])

    def flow(self) -> Flow:
        """How it comes. A burst that is over soon comes no more, and is no lasting one before it has lasted."""
        with self._lock:
            points = tuple(self._points)
        if len(points) < 2:
            return Flow(0.0, 0.0)
        (began, _), (ended, _) = points[0], points[-1]
        part = self._window / _PARTS
        marks = [_at(points, max(began, ended - part * number)) for number in range(_PARTS + 1)]
        parts = [_slope(marks[number + 1], marks[number]) for number in range(_PARTS)]
        return Flow(min(_slope(points[0], points[-1]), parts[0]), min(parts))


class Flow(NamedTuple):
    """Bytes a second: as they come ``now``, and what of it is ``lasting``."""

    now: float
    lasting: float


def _slope(one: tuple[float, float], other: tuple[float, float]) -> float:
    (began, first), (ended, last) = one, other
    return (last - first) / (ended - began) if ended > began else 0.0


def _at(points: Sequence[tuple[float, int]], time: float) -> tuple[float, float]:
    """The count at a time, between two that were told."""
    for one, other in pairwise(points):
        if one[0] <= time <= other[0]:
            return time, one[1] + _slope(one, other) * (time - one[0])
    return points[-1]


def forecast_seconds(behind: int, gains: float, changes: Flow) -> float | None:
    """Seconds until ``behind`` bytes are worked off at ``gains`` bytes a second while ``changes`` come on top; ``NEVER`` when
    that lasts and the peer never gains on it; None while it is not known."""
    if behind <= 0:
        return 0.0
    if not gains:
        return None
    lead = gains - changes.now
    if lead > gains * _LEAD:
        return behind / lead
    return NEVER if gains - changes.lasting <= gains * _LEAD else None
