"""Opens a dataset, and opens it again when it failed: one way out of every failure that is not the operator's to repair."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import structlog

from agent.core.backoff import Backoff
from agent.core.clock import Clock
from agent.core.errors import Damaged, HikaeError, StoreFailed
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import NOT_RUNNING

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
_log = structlog.get_logger("node")


class Side(Protocol):
    """A dataset that is open on this node."""

    def tick(self) -> None:
        """Called about once a second. A ``HikaeError`` closes it, and it is opened again later."""
        ...

    def close(self) -> None:
        """Stop everything, durably; waits."""
        ...


Opened = TypeVar("Opened", bound=Side)


class Tended(Generic[Opened]):
    """Holds an opened side, or the reason why there is none. ``tick`` and ``close`` are called by one thread.

    ``open`` is given :meth:`failed`, to be called from any thread with what made the side unusable. ``ended`` is told why
    nothing is open now, before it is opened again."""

    def __init__(
        self,
        name: str,
        open: Callable[[Callable[[HikaeError], None]], Opened],
        board: ProblemBoard,
        clock: Clock,
        *,
        ended: Callable[[HikaeError], None],
    ) -> None:
        self._name = name
        self._open = open
        self._board = board
        self._clock = clock
        self._ended = ended
        self._lock = threading.Lock()
        self._failure: HikaeError | None = None
        self._side: Opened | None = None
        self._backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        self._due = 0.0
        self._tried = threading.Event()
        #: What ended it, or kept it from being opened, last; None while it is open.
        self.why: HikaeError | None = None

    @property
    def side(self) -> Opened | None:
        """What is open now."""
        return self._side

    def wait_for_a_try(self, seconds: float) -> None:
        """Wait, at most so long, until it was tried to open it since it began or was to be reopened. Any thread."""
        self._tried.wait(seconds)

    def failed(self, error: HikaeError) -> None:
        """The side cannot go on; it is closed and opened again at the next tick."""
        with self._lock:
            self._failure = self._failure or error

    def tick(self) -> None:
        """Close what failed, open what is due, give the open side its tick."""
        with self._lock:
            failure, self._failure = self._failure, None
        if failure is not None and self._side is not None:
            self._gave_up(failure)
        if self._side is None and self._clock.monotonic() >= self._due:
            self._try_open()
        elif self._side is not None:
            try:
                self._side.tick()
            except HikaeError as error:
                self._gave_up(error)

    def reopen(self) -> None:
        """Close what is open, which may be of another kind by now, and open it at once."""
        self._tried.clear()
        self.close()
        self._try_open()

    def due_now(self) -> None:
        """What it failed of has changed: open it at the next tick."""
        self._backoff.succeeded()
        self._due = 0.0

    def close(self) -> None:
        """Close what is open."""
        side, self._side = self._side, None
        if side is not None:
            side.close()

    def _try_open(self) -> None:
        try:
            self._side = self._open(self.failed)
        except HikaeError as error:
            self._later(error)
        except OSError as error:
            reason = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
            self._later(StoreFailed("open the dataset", self._name, reason, "look at the path and the disk"))
        else:
            self._backoff.succeeded()
            self._board.clear(NOT_RUNNING)
            self.why = None
        finally:
            self._tried.set()

    def _gave_up(self, error: HikaeError) -> None:
        self.why = error
        self.close()
        self._later(error)

    def _later(self, error: HikaeError) -> None:
        self.why = error
        self._ended(error)
        _log.error("the dataset is not running", dataset=self._name, reason=str(error))
        remedy = error.remedy or "it is tried again by itself"
        if isinstance(error, Damaged):
            remedy = f"{remedy}; then it goes on by itself"
        now = self._clock.now_ns()
        self._board.put(Problem(NOT_RUNNING, Severity.ERROR, now, b"", error.sentence, remedy))
        self._due = self._clock.monotonic() + self._backoff.next_wait()
