"""Is the primary that the configuration names another one than the one that is? It is told as long as that lasts."""

from __future__ import annotations

import structlog

from agent.config.values import Dataset
from agent.core.clock import Clock
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import PRIMARY_IGNORED
from agent.roles.assignment import Assignment, told_ignored

_log = structlog.get_logger("node")


class IgnoredPrimary:
    """The problem of one dataset. ``read``: the dataset as the files said it when they were last read, in which ``primary`` may
    be one that is none. The log has each sentence once, until :meth:`forget`."""

    def __init__(self, read: Dataset, board: ProblemBoard, clock: Clock) -> None:
        self.read = read
        self._board = board
        self._clock = clock
        self._logged = ""

    def forget(self) -> None:
        """The board was emptied: what still is wrong is told, and logged, again."""
        self._logged = ""

    def tell(self, assigned: Assignment) -> None:
        """Say that the files name another primary than the one that is, or that they do so no more."""
        if not assigned.ignores(self.read):
            self._logged = ""
            self._board.clear(PRIMARY_IGNORED)
            return
        problem = told_ignored(assigned, self.read, self._clock.now_ns())
        if problem.message != self._logged:
            self._logged = problem.message
            what = "the primary in the configuration is ignored"
            _log.warning(what, dataset=self.read.name, reason=problem.message)
        self._board.put(problem)
