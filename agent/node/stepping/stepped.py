"""Commands of one dataset that are lists of recorded steps: in a thread of their own, one at a time, and on after a crash."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog

from agent.core.clock import Clock
from agent.core.errors import CalledOff, HikaeError, Refused, TryAgain
from agent.core.problem import Problem, ProblemBoard, ProblemCode, Severity
from agent.status.facts import MovingFacts
from agent.steps.record import Facts, StepsRecord
from agent.steps.runner import Step, StepsRunner

#: The steps of all lists at which the application runs as before, or again; at others it is being stopped or begun, or rests.
_SERVED_AT = frozenset({"", "gates", "prepare", "drain", "before_demote", "after_promote"})
#: Seconds after which what met a full disk, or a bug, goes on.
_AGAIN = 5.0
World = TypeVar("World")
_log = structlog.get_logger("node")


class SteppedRun:
    """A list that is under way. ``done``: it has ended, with a ``record`` or an ``error``; ``doing``: the step it is at, and
    ``changed`` is called when that changes; ``ending``: it is to end soon, and goes on later."""

    def __init__(self, kind: str, ending: threading.Event, changed: Callable[[], None]) -> None:
        self.kind = kind
        self._changed = changed
        self._doing = ""
        #: What the step waits for, for people; "" where nobody said so.
        self.waits_for = ""
        self.ending = ending
        self.done = threading.Event()
        #: Set where something that goes first was asked for: it ends at once, as a failure.
        self.gives_way = threading.Event()
        self.record: StepsRecord | None = None
        self.error: HikaeError | None = None

    @property
    def doing(self) -> str:
        """The name of a step, or of its hook; "" before the first."""
        return self._doing

    @doing.setter
    def doing(self, step: str) -> None:
        self._doing, self.waits_for = step, ""
        self._changed()


@dataclass(frozen=True, slots=True)
class StepsKind(Generic[World]):
    """A list of steps that a dataset knows. ``name``: as its record has it, which is the file ``file`` of the dataset's state;
    ``words``: as people call it; ``code``: the problem by which a failure is told; ``world``: what its steps act on; ``goes_on``:
    whether one that a crash left undone may go on now; ``gives_way``: whether it ends for any other that is begun; ``ended``:
    given the record at its end, failed or not, before that is forgotten; after a crash then it is given it again."""

    name: str
    file: str
    words: str
    code: ProblemCode
    table: Sequence[Step[World]]
    world: Callable[[Facts, SteppedRun], World]
    goes_on: Callable[[], bool]
    ended: Callable[[StepsRecord], None] = lambda _: None
    gives_way: bool = False


AnyKind = StepsKind[Any]  # Any: each kind has a world of its own, and nothing here looks into it


class SteppedWork:
    """Of one dataset. ``home``: where its state lies; ``changed``: called when :attr:`moving` does. :meth:`tick`,
    :meth:`leave`, :meth:`again` and :meth:`join` are for who
    tends it; :meth:`begin` is for any thread."""

    def __init__(
        self,
        dataset: str,
        home: Path,
        board: ProblemBoard,
        clock: Clock,
        kinds: Callable[[], Sequence[AnyKind]],
        changed: Callable[[], None],
    ) -> None:
        self._changed = changed
        self._dataset = dataset
        self._home = home
        self._board = board
        self._clock = clock
        self._kinds = {kind.name: kind for kind in kinds()}
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._run: SteppedRun | None = None
        self._thread: threading.Thread | None = None
        #: When what could not go on is tried again: a step may run a program of the operator's.
        self._not_before = 0.0

    @property
    def running(self) -> SteppedRun | None:
        """What is under way in this process."""
        return self._run if self._is_running() else None

    @property
    def moving(self) -> MovingFacts | None:
        """The list that is under way in this process and where it is, for status; None for none, or for one that gives way."""
        run = self._run
        if run is None or run.done.is_set() or self._kinds[run.kind].gives_way:
            return None
        return MovingFacts(self._kinds[run.kind].words, run.doing, run.doing not in _SERVED_AT)

    def begin(self, name: str, arguments: Facts) -> SteppedRun:
        """Begin one. Raises ``TryAgain`` while one is under way, of whatever kind, or the agent stops."""
        kind = self._kinds[name]
        if not kind.gives_way:
            self._make_way()
        with self._lock:
            if self._ending.is_set():
                raise TryAgain(f"begin {kind.words}", self._dataset, "the agent stops", "type it again once it is back")
            busy = self._under_way()
            if busy is not None:
                raise self._refused(kind, busy)
            self._board.clear(kind.code)
            runner = self._runner(kind)
            return self._start(kind, lambda world: runner.begin(kind.name, kind.table, world, arguments), arguments)

    def tick(self) -> None:
        """Go on with what a crash, or an end of the agent, left undone."""
        if self._ending.is_set() or self._clock.monotonic() < self._not_before:
            return
        with self._lock:
            if self._is_running():
                return  # also one that was begun a moment ago, whose record would seem to be a crash's
            for kind in self._kinds.values():
                if kind.goes_on() and self._goes_on(kind):
                    return

    def is_ending(self) -> bool:
        """Whether the agent stops, or the dataset is to rest."""
        return self._ending.is_set()

    def leave(self) -> None:
        """It ends soon, and goes on after :meth:`again` or in the next process. Does not wait."""
        self._ending.set()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._thread is not None:
            self._thread.join()

    def _make_way(self) -> None:
        """What gives way ends; also one that a crash left undone, which is ended first."""
        with self._lock:
            busy = self._under_way()
            if busy is None or not busy.gives_way or self._ending.is_set():
                return
            if not self._is_running() and not self._goes_on(busy):
                return
            run = self._run
        if run is not None and run.kind == busy.name:
            run.gives_way.set()
            run.done.wait()
        self.join()

    def _refused(self, wanted: AnyKind, busy: AnyKind) -> TryAgain:
        doing = self._run.doing if self._run is not None else ""
        reason = f"{busy.words} is under way already" + (f", at the step {doing}" if doing else "")
        remedy = f"hikae status {self._dataset} shows how far it is; type this again when it has ended"
        return TryAgain(f"begin {wanted.words}", self._dataset, reason, remedy)

    def again(self) -> None:
        """It may go on."""
        self.join()
        self._ending.clear()

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _under_way(self) -> AnyKind | None:
        if self._is_running() and self._run is not None:
            return self._kinds[self._run.kind]
        return next((kind for kind in self._kinds.values() if self._runner(kind).under_way() is not None), None)

    def _runner(self, kind: AnyKind) -> StepsRunner:
        return StepsRunner(self._home / kind.file, self._clock, kind.ended)

    def _goes_on(self, kind: AnyKind) -> bool:
        runner = self._runner(kind)
        try:
            record = runner.under_way()
        except (HikaeError, OSError) as error:
            # Nothing else of the dataset waits for it.
            remedy = error.remedy if isinstance(error, HikaeError) else "look at the state directory"
            self._tell(kind, f"what was under way cannot be read: {error}", remedy)
            return False
        if record is not None:
            self._go_on(kind, runner, record)
        return record is not None

    def _go_on(self, kind: AnyKind, runner: StepsRunner, record: StepsRecord) -> None:
        _log.info("what was under way goes on", dataset=self._dataset, kind=kind.name, step=record.doing)
        self._start(kind, lambda world: runner.go_on(record, kind.table, world), record.arguments)

    def _start(self, kind: AnyKind, act: Callable[[Any], StepsRecord], arguments: Facts) -> SteppedRun:
        run = self._run = SteppedRun(kind.name, self._ending, self._changed)
        world = kind.world(arguments, run)
        name = f"{kind.name}-{self._dataset}"
        self._thread = threading.Thread(target=self._do, args=(kind, run, lambda: act(world)), name=name)
        self._thread.start()
        return run

    def _do(self, kind: AnyKind, run: SteppedRun, act: Callable[[], StepsRecord]) -> None:
        try:
            run.record = act()
            self._board.clear(kind.code)
        except (CalledOff, Refused) as error:
            # It goes on later; or nothing was changed, and who typed it reads why.
            run.error = error
        except HikaeError as error:
            run.error = error
            self._failed(kind, error)
        except OSError as error:
            reason = error.strerror or str(error)
            remedy = "free space in the state directory; it goes on by itself then"
            run.error = HikaeError(f"keep the steps of {kind.words}", self._dataset, reason, remedy)
            self._not_before = self._clock.monotonic() + _AGAIN
            self._failed(kind, run.error)
        except Exception as error:  # noqa: BLE001  whatever a step meets, who waits hears of it
            _log.exception("a list of steps met a bug", dataset=self._dataset, kind=kind.name)
            reason = f"{type(error).__name__}: {error}"
            run.error = HikaeError(
                f"finish {kind.words}", self._dataset, reason, "it is tried again; please report this"
            )
            self._not_before = self._clock.monotonic() + _AGAIN
            self._failed(kind, run.error)
        finally:
            run.done.set()
            self._changed()

    def _failed(self, kind: AnyKind, error: HikaeError) -> None:
        _log.error("a list of steps failed", dataset=self._dataset, kind=kind.name, reason=str(error))
        self._tell(kind, f"the last {kind.name} failed: {error.sentence}", error.remedy or "type it again")

    def _tell(self, kind: AnyKind, message: str, remedy: str) -> None:
        self._board.put(Problem(kind.code, Severity.WARNING, self._clock.now_ns(), b"", message, remedy))
