"""A generation of a stopped application: the stop hook, all that was written durable on every standby, the generation, the
start hook.

``start`` runs whatever came before it, also when the agent ended in the middle: then as soon as the dataset is open again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.config.values import Hook
from agent.core.clock import Clock
from agent.core.errors import HikaeError, Refused
from agent.node.reigning.quiescer import QuiescedSource, Quiescer, never
from agent.node.stepping.hooked_steps import HookedSteps
from agent.steps.hooks import HookRunner, not_run
from agent.steps.record import StepsRecord
from agent.steps.runner import Step, StepOutcome, not_left_open

RECORD = "offline.json"
_TAKE = "take a generation offline"
_REASON = "generations take --offline"

#: What a node answered, as JSON.
Answer = dict[str, Any]  # Any: JSON is a foreign edge


@dataclass(frozen=True, slots=True)
class OfflineWork:
    """What is done while the application is stopped. ``wait`` returns once all that was written is durable on every standby,
    ``take`` has the vault's node take a generation; ``is_ending``: whether who asked wants an end of it."""

    wait: Callable[[], None]
    take: Callable[[], Answer]
    is_ending: Callable[[], bool]


@dataclass(slots=True)
class _Stopped:
    """One time that the application is stopped."""

    source: QuiescedSource
    quiescer: Quiescer
    work: OfflineWork
    answer: Answer = field(default_factory=dict)
    down_since: float | None = None
    down: float = 0.0
    not_started: HikaeError | None = None

    def stop(self, _record: StepsRecord) -> StepOutcome:
        """The application stops."""
        self.down_since = time.monotonic()
        hooks, place = self.source.dataset().hooks, self.source.place(_REASON)
        with self.source.pump.undisturbed():
            done = not_left_open(lambda: HookRunner(self.work.is_ending).run(hooks, "stop", place))
        self.quiescer.is_stopped = True
        return StepOutcome(done.sentence())

    def wait(self, _record: StepsRecord) -> StepOutcome:
        """All that it wrote is durable on every standby."""
        not_left_open(self.work.wait)
        return StepOutcome("all is durable on every standby")

    def take(self, _record: StepsRecord) -> StepOutcome:
        """The generation is taken where the vault is."""
        self.answer = not_left_open(self.work.take)
        return StepOutcome(f"generation {self.answer.get('generation')}")

    def start(self, _record: StepsRecord) -> StepOutcome:
        """The application runs again, unless another node was made primary meanwhile (law 7)."""
        self.quiescer.is_stopped = False
        withheld = self.source.withheld()
        if withheld:
            return StepOutcome(not_run("start", withheld).sentence())
        try:
            done = HookRunner(never).run(self.source.dataset().hooks, "start", self.source.place(_REASON))
        except HikaeError as error:
            self.not_started = error
            raise
        finally:
            self.down = time.monotonic() - (self.down_since or time.monotonic())
        return StepOutcome(done.sentence())


_TABLE = (
    Step("stop", _Stopped.stop),
    Step("wait", _Stopped.wait),
    Step("take", _Stopped.take),
    Step("start", _Stopped.start, always=True),
)


class Offline:
    """Of one dataset on its primary. ``start`` starts an application that an earlier agent left stopped, ``close`` waits for
    that."""

    def __init__(self, source: QuiescedSource, quiescer: Quiescer, home: Path, clock: Clock) -> None:
        self._source = source
        self._quiescer = quiescer
        self._steps = HookedSteps(_REASON, home / RECORD, clock, _TABLE, self._afterwards)
        self.start, self.close = self._steps.start, self._steps.close

    def take(self, work: OfflineWork) -> Answer:
        """Stop, wait, take, start: what ``work.take`` answered, ``{"down_ms", "steps"}`` beside.

        Raises ``Refused`` without both hooks, ``TryAgain`` while another one goes on, what the first step that fails raises;
        and, however that went, the worst: that the application does not run again."""
        self._require_hooks()
        world = _Stopped(self._source, self._quiescer, work)
        try:
            record = self._steps.run(world)
        except HikaeError as error:
            raise self._not_started(world, world.not_started) if world.not_started is not None else error from error
        steps = [one.as_json() for one in record.done]
        return {**world.answer, "down_ms": round(world.down * 1000), "steps": steps}

    def _afterwards(self) -> _Stopped:
        return _Stopped(self._source, self._quiescer, OfflineWork(lambda: None, dict, never))

    def _require_hooks(self) -> None:
        dataset = self._source.dataset()
        for name, hook in (("stop", dataset.hooks.stop), ("start", dataset.hooks.start)):
            if hook is None:
                reason = f"[dataset.hooks] has no {name}, so nobody can know how the application is stopped and started"
                remedy = f'write {name} = ["systemctl", "{name}", ...] there, or "none", then: hikae reload'
                raise Refused(_TAKE, dataset.name, reason, remedy)

    def _not_started(self, world: _Stopped, error: HikaeError) -> HikaeError:
        dataset = self._source.dataset()
        name = world.answer.get("generation")
        taken = f"; generation {name} was taken" if name else "; no generation was taken"
        words = _shown(dataset.hooks.start)
        return HikaeError(
            "start the application again",
            dataset.name,
            f"IT IS DOWN: {error.reason}{taken}",
            f"start it by hand now: {words}",
        )


def _shown(hook: Hook | None) -> str:
    return " ".join(hook.run) if hook is not None else ""
