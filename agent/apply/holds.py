"""Why the apply stands still, on the board: one hold at a time, gone when the next look does not find it."""

from __future__ import annotations

from agent.apply.brake.limits import ACCEPTABLE
from agent.apply.results import Held
from agent.core.clock import Clock
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import (
    ADOPT_WAITS,
    LINEAGE_WAITS,
    STANDBY_GONE,
    STANDBY_NOT_EMPTY,
    STANDBY_PATH_MISSING,
    STANDBY_REPLACED,
    STANDBY_UNSAFE,
)

#: Problems that stand only while the next look finds the same.
_CODES = (
    STANDBY_PATH_MISSING,
    STANDBY_NOT_EMPTY,
    STANDBY_GONE,
    STANDBY_REPLACED,
    STANDBY_UNSAFE,
    LINEAGE_WAITS,
    ADOPT_WAITS,
    *ACCEPTABLE,
)


class Holds:
    """The holds of one dataset's standby."""

    def __init__(self, board: ProblemBoard, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    def stand(self, held: Held, severity: Severity = Severity.ERROR) -> None:
        """This one stands, and no other."""
        self.clear(held.code)
        self._board.put(Problem(held.code, severity, self._clock.now_ns(), b"", held.reason, held.remedy))

    def clear(self, *but: str) -> None:
        """None stands but these."""
        for code in _CODES:
            if code not in but:
                self._board.clear(code)
