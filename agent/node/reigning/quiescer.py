"""Quiesce on a primary, by what its own configuration says: how far the source stands still for a generation.

::

    none     a barrier: each file is whole
    hook     before_freeze, a barrier, after_thaw: the application made itself ready
    freeze   before_freeze, the filesystem stands still (``capture.access.standstill``), after_thaw
    btrfs    before_freeze, a read-only snapshot is made and read (``capture.access.kept_moment``), after_thaw

A device stands still for each of its commits: there only the hooks make a difference. Where a moment cannot be had, the
generation is one of whole files, and says why. ``after_thaw`` runs whatever came before it, also when the agent ended in the
middle.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.capture.access.standstill import Standstill
from agent.config.values import Dataset, Hook
from agent.core.clock import Clock
from agent.core.commit import Provenance, Quiesced
from agent.core.errors import CalledOff, HikaeError, NotPermitted, TryAgain
from agent.core.ids import NOTHING, CommitNumber
from agent.fs.thaw_guard import Freezing
from agent.generations.quiescing import StoodStill
from agent.node.reigning.captures import Captures
from agent.node.reigning.plain_barrier import PlainBarrier
from agent.node.stepping.hooked_steps import HookedSteps
from agent.steps.hooks import HookPlace, HookResult, HookRunner
from agent.steps.record import StepsRecord
from agent.steps.runner import Step, StepOutcome, not_left_open

RECORD = "quiesce.json"
_STEP = 0.5
_FOR_NOTHING = Quiesced.FILE


@dataclass(frozen=True, slots=True)
class QuiescedSource:
    """What stands still: ``dataset`` as it is configured now, ``epoch`` now, what captures it and what freezes its filesystem;
    ``withheld``: why the application must not be begun now, "" where it may. ``why_not``: why no moment can be captured, None
    where one can; ``always``: each commit is of a moment that stood still, whatever is configured; ``snapshot``: asks for a
    moment that the filesystem keeps, None where nothing can. ``patience``: seconds for it to come to a moment."""

    dataset: Callable[[], Dataset]
    node: str
    epoch: Callable[[], int]
    pump: Captures
    freezing: Freezing
    withheld: Callable[[], str]
    why_not: Callable[[], str | None]
    always: bool = False
    snapshot: Callable[[Quiesced], Standstill] | None = None
    patience: float = 60.0

    def place(self, reason: str) -> HookPlace:
        """What its hooks are told."""
        return HookPlace(self.dataset().name, self.node, "primary", self.epoch(), reason)


def never() -> bool:
    """Nobody wants an end: what must run is run."""
    return False


@dataclass(slots=True)
class _Attempt:
    """One time that the source is to stand still; ``still_wanted``: see ``Quiescing``; ``captured``: what captures it where
    others are captured with it, told how far the application came to rest."""

    source: QuiescedSource
    still_wanted: Callable[[], None]
    ready: bool = False
    stood: StoodStill = field(default_factory=lambda: StoodStill(NOTHING))
    said: list[str] = field(default_factory=list)
    ended: HikaeError | None = None
    captured: Callable[[Quiesced], StoodStill] | None = None

    def before(self, _record: StepsRecord) -> StepOutcome:
        """The application comes to rest."""
        done = self._hook("before_freeze", HookRunner(self._is_ending))
        self.ready = done.tries > 0 and done.failure is None
        return StepOutcome(done.sentence())

    def capture(self, _record: StepsRecord) -> StepOutcome:
        """The moment is captured."""
        by_kind = {"freeze": self._freeze, "btrfs": self._snapshot, "hook": self.rest}
        capture = self._freeze if self.source.always else by_kind.get(self.source.dataset().quiesce, self.rest)
        if self.captured is not None:
            capture = self._with_others
        self.stood = not_left_open(capture)
        return StepOutcome(f"commit {self.stood.number}")

    def without_hooks(self) -> StoodStill:
        """The application is not asked to rest."""
        self.capture(StepsRecord("quiesce", 0, {}))
        return self.result()

    def after(self, _record: StepsRecord) -> StepOutcome:
        """The application goes on."""
        return StepOutcome(self._hook("after_thaw", HookRunner(never)).sentence())

    def result(self) -> StoodStill:
        """What came of it."""
        return StoodStill(self.stood.number, self.stood.reached, self.stood.stood_still, tuple(self.said))

    def _hook(self, name: str, runner: HookRunner) -> HookResult:
        """Run one; what it said is kept, also of one that fails."""
        try:
            done = runner.run(self.source.dataset().hooks, name, self.source.place("quiesce"))
        except HikaeError as error:
            self.said.append(f"{name}: {error.reason}")
            raise self.ended or error from error
        if done.tries:
            self.said.append(done.sentence())
        return done

    def _is_ending(self) -> bool:
        try:
            self.still_wanted()
        except HikaeError as error:
            self.ended = error
        return self.ended is not None

    def rest(self) -> StoodStill:
        """The application rests until the barrier has passed."""
        began = time.monotonic()
        number = self._barrier()
        return StoodStill(number, self._reached(_FOR_NOTHING), round((time.monotonic() - began) * 1e9))

    def _with_others(self) -> StoodStill:
        assert self.captured is not None
        return self.captured(self._reached(Quiesced.CRASH))

    def _freeze(self) -> StoodStill:
        why_not = self.source.why_not()
        if why_not is not None:
            return self._whole_files(why_not)
        reached = self._reached(Quiesced.CRASH)
        asked = self.source.pump.stand_still(self.source.freezing, self.source.dataset().path, reached=reached)
        return self._moment(asked)

    def _snapshot(self) -> StoodStill:
        if self.source.snapshot is None:
            return self._whole_files("what is captured is no tree")
        return self._moment(self.source.snapshot(self._reached(Quiesced.CRASH)))

    def _moment(self, asked: Standstill) -> StoodStill:
        """What comes of a moment that was asked for; where it cannot be had, each file is whole."""
        until = time.monotonic() + self.source.patience
        try:
            while True:
                self.still_wanted()
                try:
                    stood = asked.wait(_STEP)
                except CalledOff:
                    raise
                except (TryAgain, NotPermitted) as error:
                    if asked.is_over or time.monotonic() > until:
                        return self._whole_files(error.reason)
                else:
                    return StoodStill(stood.number, asked.reached, round(stood.seconds * 1e9))
        finally:
            asked.cancel("nobody waits for it any more")

    def _whole_files(self, why: str) -> StoodStill:
        self.said.append(f"{self.source.dataset().quiesce}: not reached, each file is whole: {why}")
        return StoodStill(self._barrier(), self._reached(_FOR_NOTHING))

    def _reached(self, without: Quiesced) -> Quiesced:
        return Quiesced.APPLICATION if self.ready else without

    def _barrier(self) -> CommitNumber:
        barrier = self.source.pump.barrier(Provenance(reached=self._reached(_FOR_NOTHING)))
        while True:
            self.still_wanted()
            try:
                return barrier.wait(_STEP)
            except CalledOff:
                raise
            except TryAgain:
                continue


_TABLE = (
    Step("before_freeze", _Attempt.before),
    Step("capture", _Attempt.capture),
    Step("after_thaw", _Attempt.after, always=True),
)


class Quiescer:
    """Satisfies ``Quiescing``. ``start`` finishes what an earlier agent left, ``close`` waits for that. Thread-safe."""

    def __init__(self, source: QuiescedSource, home: Path, clock: Clock) -> None:
        #: The application is stopped: there is nothing to bring to rest (``offline``).
        self.is_stopped = False
        self._source = source
        self._lock = threading.Lock()
        self._plain = PlainBarrier(source.pump)
        self._steps = HookedSteps("quiesce", home / RECORD, clock, _TABLE, lambda: _Attempt(source, lambda: None))
        self.start, self.close = self._steps.start, self._steps.close

    def reach(self, quiesce: bool, still_wanted: Callable[[], None]) -> StoodStill:
        """See ``Quiescing``."""
        dataset = self._source.dataset()
        attempt = _Attempt(self._source, still_wanted)
        if not self.is_stopped and (not quiesce or dataset.quiesce == "none"):
            return self._unasked(attempt) if self._source.always else self._plain.reach(quiesce, still_wanted)
        with self._lock:
            if self.is_stopped:
                return self._stopped(attempt)
            return self._hooked(attempt)

    def _unasked(self, attempt: _Attempt) -> StoodStill:
        """A moment that is one anyhow, after any other that was asked for before: a pump has one in hand."""
        with self._lock:
            return attempt.without_hooks()

    def around(self, captured: Callable[[Quiesced], StoodStill], still_wanted: Callable[[], None]) -> StoodStill:
        """``captured``, which captures this source with others, between ``before_freeze`` and ``after_thaw``; it is told how far
        the application came to rest. Raises as ``reach``."""
        attempt = _Attempt(self._source, still_wanted, captured=captured)
        with self._lock:
            if self.is_stopped:
                attempt.ready = True
                return attempt.without_hooks()
            return self._hooked(attempt)

    def _hooked(self, attempt: _Attempt) -> StoodStill:
        hooks = self._source.dataset().hooks
        if not (_runs(hooks.before_freeze) or _runs(hooks.after_thaw)):
            return attempt.without_hooks()
        self._steps.run(attempt)
        return attempt.result()

    def _stopped(self, attempt: _Attempt) -> StoodStill:
        attempt.ready = True
        return attempt.rest()


def _runs(hook: Hook | None) -> bool:
    return hook is not None and bool(hook.run)
