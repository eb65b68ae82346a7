"""What is told of a first copy that stands back."""

from __future__ import annotations

from agent.capture.device.first_copy import FirstCopyPace
from agent.capture.device.host_load import HostLoad
from agent.capture.device.yielding import Yielding
from agent.core.clock import ManualClock
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import STANDS_BACK


class _Crowd:
    """Others that use so many processors, on a host where somebody always waits."""

    def __init__(self, clock: ManualClock) -> None:
        self.others = 2.0
        self._clock = clock
        self._then = clock.monotonic()
        self._used = 0.0

    def look(self) -> HostLoad:
        """See ``host_load``."""
        now = self._clock.monotonic()
        self._used += (now - self._then) * self.others
        self._then = now
        return HostLoad(now, now, 0.0, self._used)


def _copy(pace: FirstCopyPace, clock: ManualClock, seconds: float) -> None:
    end = clock.monotonic() + seconds
    while clock.monotonic() < end:
        clock.advance(pace.pause() or 0.01)


def test_a_copy_that_stands_back_is_told_of() -> None:
    """After ten seconds of it, and no longer than it lasts; the copy's end clears it too."""
    clock, board = ManualClock(), ProblemBoard()
    crowd = _Crowd(clock)
    pace = FirstCopyPace(Yielding(crowd.look), board, clock)
    pace.begin()
    _copy(pace, clock, 11.0)
    assert not board.has(STANDS_BACK)
    _copy(pace, clock, 6.0)
    assert board.has(STANDS_BACK)
    crowd.others = 0.0
    _copy(pace, clock, 10.0)
    assert not board.has(STANDS_BACK)
    crowd.others = 2.0
    _copy(pace, clock, 30.0)
    assert board.has(STANDS_BACK)
    pace.end()
    assert not board.has(STANDS_BACK)
