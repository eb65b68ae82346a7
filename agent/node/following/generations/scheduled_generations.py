"""Generations by schedule: what is due is taken by a thread of its own, and what was missed is made up once."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from typing import Protocol

import structlog

from agent.config.values import Dataset
from agent.core.clock import Clock
from agent.core.errors import HikaeError, TryAgain
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import GENERATION_APART, GENERATION_MISSED
from agent.generations.local_time import time_text
from agent.generations.schedule import due_since, spread_ns
from agent.generations.taking import WantedGeneration
from agent.node.following.generations.generation_taker import GenerationTaker
from agent.store.catalog.generation import Cause
from agent.store.local import Local

_KEY = "scheduled-generation"
_DONE = struct.Struct(">Q")
_MINUTE = 60 * 10**9
#: One that could not be taken is tried again after so many seconds, until it is.
AGAIN = 300.0
_log = structlog.get_logger("node")


class TakesWithOthers(Protocol):
    """Takes what is due together with the other datasets of a group (``node.grouped.scheduled``)."""

    def group_of(self, dataset: Dataset) -> str:
        """The group whose datasets all have the schedule of this one; "" where it is taken by itself."""
        ...

    def take(self, group: str, due: int, still_wanted: Callable[[], None]) -> None:
        """One generation of each dataset of the group, of one moment, for what is ``due`` (UTC ns): taken once, whichever of
        them asks first. Raises ``HikaeError``: no generation of any was kept."""
        ...


class ScheduledGenerations:
    """Of one standby. ``tick`` and ``close`` belong to one thread. ``dataset``: as it is configured now; ``others``: takes it
    with those of its group; ``whole``: whether anything consistent has come, before which nothing is taken and nothing is
    missed."""

    def __init__(
        self,
        dataset: Callable[[], Dataset],
        taker: GenerationTaker,
        others: TakesWithOthers,
        local: Local,
        clock: Clock,
        board: ProblemBoard,
        *,
        whole: Callable[[], bool],
    ) -> None:
        self._dataset = dataset
        self._taker = taker
        self._others = others
        self._local = local
        self._clock = clock
        self._board = board
        self._whole = whole
        self._looked = 0
        self._not_before = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def tick(self) -> None:
        """Begin one if it is due; looked up once a minute, a moment after the schedule's time that is the dataset's own."""
        name, line = self._dataset().name, self._dataset().generations.schedule
        now = self._clock.now_ns() - spread_ns(self._others.group_of(self._dataset()) or name)
        if line == "none" or now // _MINUTE == self._looked or self._clock.monotonic() < self._not_before:
            return
        if self._is_taking() or not self._whole():
            return
        self._looked = now // _MINUTE
        due = due_since(line, self._done(now), now)
        if due is not None:
            self._thread = threading.Thread(target=self._take, args=(due,), name=f"take-{name}")
            self._thread.start()

    def close(self) -> None:
        """End one that is being taken, within a moment."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _is_taking(self) -> bool:
        if self._thread is not None and not self._thread.is_alive():
            self._thread.join()
            self._thread = None
        return self._thread is not None

    def _done(self, now: int) -> int:
        """Up to when all were taken (UTC ns). Before the first, and by a clock that ran ahead, nothing was missed."""
        value = self._local.value(_KEY)
        done = _DONE.unpack(value)[0] if value is not None and len(value) == _DONE.size else None
        if done is None or done > now:
            self._note(now)
            return now
        return int(done)

    def _note(self, done: int) -> None:
        self._local.set_value(_KEY, _DONE.pack(done), durable=True)

    def _take(self, due: int) -> None:
        name = self._dataset().name
        try:
            apart = self._taken_with_others(due)
            if apart is not None:
                self._taker.take(WantedGeneration(Cause.SCHEDULE, note=apart), self._require_going_on)
            self._note(due)
            self._board.clear(GENERATION_MISSED)
            self._tell_apart(due, apart or "")
        except HikaeError as error:
            if not self._stop.is_set():
                self._failed(name, due, error)

    def _taken_with_others(self, due: int) -> str | None:
        """None where it was taken; else why it is taken by itself, "" where it always is."""
        group = self._others.group_of(self._dataset())
        if not group:
            return ""
        try:
            self._others.take(group, due, self._require_going_on)
        except HikaeError as error:
            self._require_going_on()
            return f"not of one moment with the others of group {group}: {error.reason}"
        return None

    def _tell_apart(self, due: int, why: str) -> None:
        if not why:
            self._board.clear(GENERATION_APART)
            return
        name, group = self._dataset().name, self._dataset().group
        _log.warning("a generation was taken by itself", dataset=name, reason=why)
        message = f"the generation of {time_text(due)} was taken by itself, {why}"
        remedy = f"the next by schedule tries it again; by hand: hikae generations take --group {group}"
        self._board.put(Problem(GENERATION_APART, Severity.WARNING, self._clock.now_ns(), b"", message, remedy))

    def _failed(self, name: str, due: int, error: HikaeError) -> None:
        self._not_before, self._looked = self._clock.monotonic() + AGAIN, 0
        _log.warning("a generation could not be taken", dataset=name, reason=str(error))
        message = f"the generation of {time_text(due)} was not taken: {error.reason}"
        remedy = error.remedy or f"it is tried again; to take one by hand: hikae generations take {name}"
        self._board.put(Problem(GENERATION_MISSED, Severity.WARNING, self._clock.now_ns(), b"", message, remedy))

    def _require_going_on(self) -> None:
        if self._stop.is_set():
            raise TryAgain("take a generation", self._dataset().name, "the dataset is being closed")
