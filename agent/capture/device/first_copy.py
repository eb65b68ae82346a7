"""The pace of a device's first copy, and what is told of it."""

from __future__ import annotations

from agent.capture.device.yielding import Yielding
from agent.core.clock import Clock
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import STANDS_BACK

#: A copy that stands back for so many seconds is told of.
_TOLD_AFTER = 10.0


class FirstCopyPace:
    """Asked by the pump before each step of a first copy. Belongs to its thread."""

    def __init__(self, yielding: Yielding, board: ProblemBoard, clock: Clock) -> None:
        self._yielding = yielding
        self._board = board
        self._clock = clock
        self._is_told = False

    def begin(self) -> None:
        """A first copy begins, at full speed."""
        self.end()
        self._yielding.begin(self._clock.monotonic())

    def pause(self) -> float:
        """Seconds to wait before asking again; 0: go on."""
        now = self._clock.monotonic()
        pause, since = self._yielding.pause(now), self._yielding.since
        if since is None:
            self.end()
        elif not self._is_told and now - since >= _TOLD_AFTER:
            self._tell()
        return pause

    def end(self) -> None:
        """No copy stands back."""
        if self._is_told:
            self._is_told = False
            self._board.clear(STANDS_BACK)

    def _tell(self) -> None:
        self._is_told = True
        message = "the first copy stands back: other programs need the processors or disks of this host"
        remedy = "it goes on at full speed once they do not"
        self._board.put(Problem(STANDS_BACK, Severity.INFO, self._clock.now_ns(), b"", message, remedy))
