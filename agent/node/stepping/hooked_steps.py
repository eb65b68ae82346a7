"""Steps with programs of the operator's in them, of one dataset on its primary: an agent that ended in the middle of some lets
the application go on as soon as the dataset is open again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.steps.record import StepsRecord
from agent.steps.runner import Step, StepsRunner

World = TypeVar("World")
_log = structlog.get_logger("node")


class HookedSteps(Generic[World]):
    """One table of steps, whose record is the file ``path``. ``run`` by any thread, one at a time.

    ``afterwards`` makes the world in which what is always run is run, when the agent had ended in the middle."""

    def __init__(
        self, kind: str, path: Path, clock: Clock, table: Sequence[Step[World]], afterwards: Callable[[], World]
    ) -> None:
        self._kind = kind
        self._table = table
        self._afterwards = afterwards
        self._runner = StepsRunner(path, clock)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Finish, in a thread of its own, what an earlier agent left. What cannot be read is logged, and told to who comes
        next."""
        try:
            left = self._runner.under_way()
        except (HikaeError, OSError) as error:
            _log.error("what was under way cannot be read", steps=self._kind, error=str(error))
            return
        if left is not None:
            self._thread = threading.Thread(target=self._unwind, args=(left,), name=f"{self._kind}-left")
            self._thread.start()

    def close(self) -> None:
        """Wait for what :meth:`start` began."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def run(self, world: World) -> StepsRecord:
        """All steps; see ``StepsRunner.begin``."""
        with self._lock:
            return self._runner.begin(self._kind, self._table, world, {})

    def _unwind(self, left: StepsRecord) -> None:
        with self._lock:
            try:
                done = self._runner.unwind(left, self._table, self._afterwards())
            except (HikaeError, OSError) as error:
                _log.error(
                    "the agent had ended in the middle, and what must follow failed", steps=self._kind, error=str(error)
                )
                return
        _log.warning("the agent had ended in the middle", steps=self._kind, did=[one.result for one in done.done])
