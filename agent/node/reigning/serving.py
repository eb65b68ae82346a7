"""What runs when a primary may serve, and when it must not: ``start`` at each confirmed start, ``on_fenced`` at each fencing.

Both run in a thread of their own, so that nothing of the dataset waits for them. What ``on_fenced`` was run for is durable: a
crash in it runs it again, a restart after it does not.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from agent.config.values import Dataset
from agent.core.clock import Clock
from agent.core.errors import CalledOff, HikaeError
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import ON_FENCED_FAILED, START_FAILED
from agent.fs.durable import write_durably
from agent.roles.rewound import Rewound
from agent.status.state import Role
from agent.steps.hooks import HookPlace, HookResult, HookRunner

_log = structlog.get_logger("node")
DONE = "on-fenced.json"
START, ON_FENCED = "start", "on_fenced"
_CODES = {START: START_FAILED, ON_FENCED: ON_FENCED_FAILED}


@dataclass(frozen=True, slots=True)
class ReignNow:
    """How the open primary stands. ``mark``: why it must not go on; ``waits_for``: who has not confirmed it yet; ``busy``: a list
    of steps is under way, which begins the application itself."""

    epoch: int
    mark: Rewound | None
    waits_for: tuple[str, ...]
    busy: bool = False


class RunsHook(Protocol):
    """Runs one of the operator's programs (``steps.hooks.HookRunner.run``)."""

    def __call__(self, dataset: Dataset, name: str, place: HookPlace) -> HookResult: ...


class ReignHooks:
    """Of one dataset. :meth:`tick` and :meth:`close` are for who tends it; the rest is for any thread."""

    def __init__(
        self,
        dataset: Callable[[], Dataset],
        node: str,
        home: Path,
        board: ProblemBoard,
        clock: Clock,
        run: RunsHook | None = None,
    ) -> None:
        self._dataset = dataset
        self._node = node
        self._home = home
        self._board = board
        self._clock = clock
        self._ending = threading.Event()
        self._run = run or self._by_runner
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        #: So many want no application started.
        self._held = 0
        #: The epoch in which the start hook was begun in this run.
        self._started: int | None = None
        #: The fencing that ``on_fenced`` was begun for in this run.
        self._stopped: object = None
        #: The one that it came to its end for.
        self._ended: object = None

    def tick(self, now: ReignNow | None) -> None:
        """Once a second; ``now``: None where no primary is open."""
        with self._lock:
            self._look(now)

    @contextmanager
    def nothing_started(self) -> Iterator[None]:
        """Until the end of the block no application is started because this node may serve, and one that was being started when
        it began is: somebody is about to stop it. Any thread; waits."""
        with self._lock:
            self._held += 1
            running = self._thread
        try:
            if running is not None:
                running.join()
            yield
        finally:
            with self._lock:
                self._held -= 1

    def _look(self, now: ReignNow | None) -> None:
        if now is None or self._ending.is_set() or (self._thread is not None and self._thread.is_alive()):
            return
        if now.mark is not None:
            self._started = None
            self._must_stop(now.mark, now.epoch)
        elif not (now.waits_for or now.busy or self._held) and self._started != now.epoch:
            self._started = now.epoch
            self._begin(START, Role.PRIMARY, now.epoch, "it may serve", lambda: None)

    def was_started(self, epoch: int) -> None:
        """A list of steps has run the start hook."""
        self._started = epoch

    def has_stopped(self, mark: Rewound | None) -> bool:
        """Whether ``on_fenced`` has come to its end for this fencing, in whatever way: what follows one may be typed within the
        same second. Any thread."""
        return mark is None or _name_of(mark) in (self._ended, _done_for(self._home / DONE))

    def start_again(self) -> None:
        """An operator asks for it once more."""
        self._started = None

    def stop_again(self) -> None:
        """An operator asks for it once more."""
        with suppress(OSError):
            (self._home / DONE).unlink(missing_ok=True)
        self._stopped = self._ended = None

    def close(self) -> None:
        """What runs is ended, and run again when the dataset is open again. Waits."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        self._ending.clear()
        self._started, self._stopped = None, None

    def _must_stop(self, mark: Rewound, epoch: int) -> None:
        fencing = _name_of(mark)
        if self._stopped != fencing and _done_for(self._home / DONE) != fencing:
            self._stopped = fencing
            self._begin_fenced(mark, epoch)

    def _begin_fenced(self, mark: Rewound, epoch: int) -> None:
        self._begin(ON_FENCED, Role.FENCED, epoch, mark.sentence, lambda: self._keep_done(mark))

    def _begin(self, name: str, role: Role, epoch: int, reason: str, then: Callable[[], None]) -> None:
        dataset = self._dataset()
        place = HookPlace(dataset.name, self._node, role.value, epoch, reason)
        args = (dataset, name, place, then)
        # That the other one failed is over: it is to run now, or to end.
        self._board.clear(_CODES[ON_FENCED if name == START else START])
        self._thread = threading.Thread(target=self._do, args=args, name=f"{name}-{dataset.name}")
        self._thread.start()

    def _do(self, dataset: Dataset, name: str, place: HookPlace, then: Callable[[], None]) -> None:
        try:
            result = self._run(dataset, name, place)
            if result.failure is not None:
                self._tell(dataset, name, f"{result.failure}: {result.said.strip()[-200:]}")
            else:
                self._board.clear(_CODES[name])
                if result.tries:
                    _log.info("a hook ran", dataset=dataset.name, hook=name, result=result.sentence())
            then()
        except CalledOff:
            return
        except HikaeError as error:
            self._tell(dataset, name, error.reason)
            then()

    def _by_runner(self, dataset: Dataset, name: str, place: HookPlace) -> HookResult:
        return HookRunner(self._ending.is_set).run(dataset.hooks, name, place)

    def _keep_done(self, mark: Rewound) -> None:
        self._ended = _name_of(mark)
        with suppress(OSError):  # it is run once more after a restart then, which is idempotent
            write_durably(str(self._home / DONE), json.dumps(_name_of(mark)).encode() + b"\n")

    def _tell(self, dataset: Dataset, name: str, why: str) -> None:
        _log.error("a hook failed", dataset=dataset.name, hook=name, reason=why)
        what = (
            "the application may still run on this node, which must not serve"
            if name == ON_FENCED
            else "this node may serve, and the application was not started"
        )
        again = f"hikae fence {dataset.name}" if name == ON_FENCED else f"hikae serve {dataset.name} --alone"
        message = f"the {name} hook of {dataset.name} failed, so {what}: {why}"
        remedy = f"look at [dataset.hooks] {name}, then run it again: {again}"
        self._board.put(Problem(_CODES[name], Severity.ERROR, self._clock.now_ns(), b"", message, remedy))


def _name_of(mark: Rewound) -> list[object]:
    """What tells one fencing from the next."""
    return [mark.peer, mark.epoch, mark.since]


def _done_for(path: Path) -> object:
    with suppress(OSError, ValueError):
        return json.loads(path.read_bytes())
    return None
