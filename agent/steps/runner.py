"""Runs a table of named steps, each recorded durably before and after; after a crash it goes on with the step that it stood in.

A step may be run again after a crash in it, so each is idempotent: run twice it leaves what one run leaves. Which step comes
next is a pure function of the table and the record (:func:`next_step`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from agent.core.clock import Clock
from agent.core.errors import CalledOff, Damaged, HikaeError, StoreFailed, TryAgain
from agent.steps.record import Facts, StepDone, StepsRecord, forget_steps, read_steps, write_steps

World = TypeVar("World")
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What a step did, in words for people, and what it learned for the steps after it and for who asked (JSON values)."""

    result: str = "done"
    learned: Mapping[str, Any] = field(default_factory=dict)  # Any: see ``Facts``


@dataclass(frozen=True, slots=True)
class Step(Generic[World]):
    """``act`` is idempotent; it gets the world and the record so far. ``always``: it is run also when a step before it failed,
    as what starts the application again is. ``final``: from its beginning on the list only goes forward, and waits for a disk
    that is full; before that it ends there, since what was stopped is not to rest as long."""

    name: str
    act: Callable[[World, StepsRecord], StepOutcome]
    always: bool = False
    final: bool = False


def next_step(table: Sequence[Step[World]], record: StepsRecord) -> Step[World] | None:
    """The first step that is not done; after a failure, the first such that is run always. None: that was all.

    Raises ``ValueError`` when the record names a step that is not in the table."""
    names = {step.name for step in table}
    told = {one.name for one in record.done}
    if not told <= names or (record.doing is not None and record.doing not in names):
        raise ValueError(record)
    return next((one for one in table if one.name not in told and (one.always or record.failed is None)), None)


def not_left_open(act: Callable[[], AnswerT]) -> AnswerT:
    """For a step after which something must be run at once, also when the agent stops or nobody waits for its answer any more:
    what calls it off is a failure, and so is a bug."""
    try:
        return act()
    except CalledOff as error:
        raise TryAgain(error.operation, error.subject, error.reason, error.remedy) from error
    except HikaeError:
        raise
    except ConnectionError as error:
        raise TryAgain("go on", "", "nobody waits for the answer any more", "type it again") from error
    except Exception as error:
        raise HikaeError("go on", "", f"{type(error).__name__}: {error}", "report this") from error


class _Pages:
    """The file of one list. Once it cannot be written any more, and nothing final was begun, it is gone: a crash does not go on
    with what is being ended."""

    def __init__(self, path: Path, table: Sequence[Step[World]], record: StepsRecord) -> None:
        self._path = path
        self._final = {step.name for step in table if step.final}
        self._ends = any(step.always for step in table)
        self._forward = record.doing in self._final
        self._gone = False

    def write(self, record: StepsRecord) -> HikaeError | None:
        """The record is durable; else why the list ends. Raises ``OSError`` where it may only go forward."""
        if self._gone:
            return None
        try:
            write_steps(self._path, record)
        except OSError as error:
            if self._goes_forward(record):
                raise
            forget_steps(self._path)
            self._gone = True
            reason, remedy = error.strerror or str(error), "free space in the state directory, and type it again"
            return StoreFailed(f"keep the steps of {record.kind}", str(self._path), reason, remedy)
        return None

    def _goes_forward(self, record: StepsRecord) -> bool:
        return not self._ends or self._forward or any(one.name in self._final for one in record.done)


class StepsRunner:
    """Steps of one list at a time, whose record is the file ``path``. Belongs to one thread at a time.

    A step that raises ``CalledOff`` (the agent stops), or anything that is no ``HikaeError``, leaves the record as a crash
    would; any other ``HikaeError`` is a failure: steps that are run always follow, the record goes, and the error is raised. So
    is a record that cannot be written, where steps are run always and none that is final was begun.
    ``ended`` is given the record when all was run, before it goes; after a crash then it is given it again."""

    def __init__(self, path: Path, clock: Clock, ended: Callable[[StepsRecord], None] = lambda _record: None) -> None:
        self._path = path
        self._clock = clock
        self._ended = ended

    def under_way(self) -> StepsRecord | None:
        """What a crash, or an end of the agent, left undone. Raises ``Damaged``, ``OSError``."""
        return read_steps(self._path)

    def begin(self, kind: str, table: Sequence[Step[World]], world: World, arguments: Facts) -> StepsRecord:
        """Run a list from its beginning; the record at its end, which is not in the file any more.

        Raises ``TryAgain`` while another list is under way, the first step's error that failed, ``Damaged``, ``OSError``."""
        found = self.under_way()
        if found is not None:
            reason = f"{found.kind} is under way since an earlier call"
            raise TryAgain(
                f"begin {kind}", "", reason, "wait until status does not show it any more, and type it again"
            )
        record = StepsRecord(kind, self._clock.now_ns(), arguments)
        write_steps(self._path, record)
        return self._run(table, world, record)

    def go_on(self, record: StepsRecord, table: Sequence[Step[World]], world: World) -> StepsRecord:
        """Go on with what :meth:`under_way` told. Raises what :meth:`begin` raises."""
        return self._run(table, world, record)

    def unwind(self, record: StepsRecord, table: Sequence[Step[World]], world: World) -> StepsRecord:
        """Of what :meth:`under_way` told, run only what is always run; the record at its end. Raises what that raises,
        ``Damaged``, ``OSError``."""
        pending = self._next(table, record)
        if pending is not None and not pending.always:
            record = record.ended(StepDone(pending.name, 0, "the agent ended in the middle of it", failed=True), {})
        record, failure = self._steps(table, world, record)
        if failure is not None:
            raise failure
        return record

    def _run(self, table: Sequence[Step[World]], world: World, record: StepsRecord) -> StepsRecord:
        record, failure = self._steps(table, world, record)
        self._raise_failure(record, failure)
        return record

    def _steps(
        self, table: Sequence[Step[World]], world: World, record: StepsRecord
    ) -> tuple[StepsRecord, HikaeError | None]:
        first: HikaeError | None = None
        pages = _Pages(self._path, table, record)
        while (step := self._next(table, record)) is not None:
            unkept = pages.write(record.beginning(step.name))
            if unkept is not None and not step.always:
                first = first or unkept
                record = record.ended(StepDone(step.name, 0, str(unkept), failed=True), {})
                continue
            record = record.beginning(step.name)
            began = self._clock.monotonic()
            try:
                outcome, failed = step.act(world, record), False
            except CalledOff:
                raise
            except HikaeError as error:
                outcome, failed = StepOutcome(str(error)), True
                first = first or error
            ms = round((self._clock.monotonic() - began) * 1000)
            done = StepDone(step.name, ms, outcome.result, failed)
            unkept = pages.write(record.ended(done, outcome.learned))
            first = first or unkept
            record = record.ended(replace(done, failed=failed or unkept is not None), outcome.learned)
        self._ended(record)
        forget_steps(self._path)
        return record, first

    def _next(self, table: Sequence[Step[World]], record: StepsRecord) -> Step[World] | None:
        try:
            return next_step(table, record)
        except ValueError as error:
            remedy = f"finish it by hand, or with the release that began it; then: rm {self._path}"
            raise Damaged(
                f"go on with {record.kind}", str(self._path), "it holds steps unknown here", remedy
            ) from error

    def _raise_failure(self, record: StepsRecord, error: HikaeError | None) -> None:
        """``error``: what a step of this run raised; of an earlier run only its words are left."""
        if error is not None:
            raise error
        if record.failed is not None:
            raise HikaeError(f"finish {record.kind}", record.failed.name, record.failed.result)
