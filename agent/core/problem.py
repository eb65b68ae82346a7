"""Problems: what is wrong while the agent goes on. They add up, have a remedy, and clear by themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much it matters; public strings."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. ``code`` is a stable word ("unreadable"), ``path`` raw bytes relative to the
    root (b"" when it concerns the whole dataset), ``since`` UTC ns."""

    code: str
    severity: Severity
    since: int
    path: bytes
    message: str
    remedy: str


class ProblemBoard:
    """The problems of one dataset or node, by ``(code, path)``. Thread-safe; at most ``limit`` are kept with
    their paths, the others of a code are only counted (law 9)."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._problems: dict[tuple[str, bytes], Problem] = {}
        self._uncounted: dict[str, int] = {}

    def put(self, problem: Problem) -> None:
        """Add or replace; the first ``since`` is kept."""
        key = (problem.code, problem.path)
        with self._lock:
            old = self._problems.get(key)
            if old is not None:
                problem = Problem(
                    problem.code, problem.severity, old.since, problem.path, problem.message, problem.remedy
                )
            elif len(self._problems) >= self._limit:
                self._uncounted[problem.code] = self._uncounted.get(problem.code, 0) + 1
                return
            self._problems[key] = problem

    def clear(self, code: str, path: bytes = b"") -> None:
        """The cause is gone. Unknown ones are no error."""
        with self._lock:
            self._problems.pop((code, path), None)

    def clear_code(self, code: str) -> None:
        """Every problem of this code is gone."""
        with self._lock:
            for key in [key for key in self._problems if key[0] == code]:
                del self._problems[key]
            self._uncounted.pop(code, None)

    def keep_only(self, code: str, paths: Iterable[bytes]) -> None:
        """After a full look: the problems of this code at other paths are gone."""
        with self._lock:
            stay = set(paths)
            for key in [key for key in self._problems if key[0] == code and key[1] not in stay]:
                del self._problems[key]
            self._uncounted.pop(code, None)

    def replace(self, code: str, problems: Iterable[Problem], total: int) -> None:
        """After a full look: these are the problems of this code, the first of ``total``; the first ``since`` of each is kept."""
        problems = list(problems)
        self.keep_only(code, [problem.path for problem in problems])
        for problem in problems:
            self.put(problem)
        with self._lock:
            if total > len(problems):
                self._uncounted[code] = total - len(problems)

    def listed(self) -> tuple[list[Problem], dict[str, int]]:
        """Everything, worst first, and how many more of each code were only counted."""
        order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
        with self._lock:
            rows = sorted(self._problems.values(), key=lambda p: (order[p.severity], p.since, p.path))
            return rows, dict(self._uncounted)

    def has(self, code: str) -> bool:
        """Whether any problem of this code stands."""
        with self._lock:
            return any(key[0] == code for key in self._problems)
