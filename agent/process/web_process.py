"""The second process as the agent keeps it: begun anew when it ends, and left alone when the agent itself does, so that a restart
of the agent drops no backend."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from agent.core.clock import Clock
from agent.core.errors import Exit
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import HEALTH_NOT_SERVED

_log = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class WebProcessLimits:
    """Seconds until one that ended is begun again: at first, doubled each time, at most. One that ran for ``good`` was well."""

    first: float = 1.0
    most: float = 60.0
    good: float = 60.0


class Child(Protocol):
    """A process that was started; ``subprocess.Popen`` is one."""

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        ...


class WebProcess:
    """``hikae web`` for one configuration. ``start`` and ``tick`` from one thread. Nothing ends it here: it ends itself once no
    agent publishes any more, or when the next agent's takes over."""

    def __init__(
        self,
        config: str,
        board: ProblemBoard,
        clock: Clock,
        spawn: Callable[[Sequence[str]], Child] | None = None,
        limits: WebProcessLimits = WebProcessLimits(),
    ) -> None:
        self._words = (sys.executable, "-m", "agent.cli.main", "--config", config, "web", "--beside", str(os.getpid()))
        self._board = board
        self._clock = clock
        self._spawn = spawn or spawned
        self._limits = limits
        self._child: Child | None = None
        self._begun = 0.0
        self._pause = limits.first
        self._again: float | None = None

    def start(self) -> None:
        """Begin it. A program that cannot be executed is a problem, and is tried again."""
        self._begun, self._again = self._clock.monotonic(), None
        try:
            self._child = self._spawn(self._words)
        except OSError as error:
            self._ended(f"it cannot be started: {error.strerror}")

    def tick(self) -> None:
        """Once a second: begin again what has ended."""
        now = self._clock.monotonic()
        if self._again is not None:
            if now >= self._again:
                self.start()
            return
        code = self._child.poll() if self._child is not None else None
        if code is not None:
            self._ended(_why(code))
        elif now - self._begun >= self._limits.good:
            self._pause = self._limits.first
            self._board.clear(HEALTH_NOT_SERVED)

    def _ended(self, why: str) -> None:
        self._child = None
        self._again = self._clock.monotonic() + self._pause
        self._pause = min(self._pause * 2, self._limits.most)
        message = f"load balancers and monitoring are not answered: {why}; it is tried again"
        remedy = "its own words stand in the journal: journalctl -u hikae; typed by hand they are shown: hikae web"
        self._board.put(Problem(HEALTH_NOT_SERVED, Severity.ERROR, self._clock.now_ns(), b"", message, remedy))
        _log.error("hikae web ended", reason=why)


def spawned(words: Sequence[str]) -> Child:
    """A process of those words, executed and never forked from a process that runs gRPC. Raises ``OSError``."""
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)


def _why(code: int) -> str:
    reasons = {
        Exit.REFUSED: "an address of [health] or [console] is taken, or is not of this machine",
        Exit.CONFIG: "something that the configuration names cannot be used",
        Exit.NOT_PERMITTED: "it may not become the account that it runs as",
    }
    known = next((reason for exit_code, reason in reasons.items() if exit_code == code), None)
    return known or (f"hikae web was killed by signal {-code}" if code < 0 else f"hikae web ended with {code}")
