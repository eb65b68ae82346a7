"""How long a command waits, for what, and when it stops because nothing here would ever end it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from agent.core.errors import CalledOff, Refused, TryAgain
from agent.operations.declaration import Progress
from agent.status.figures import span_text

T = TypeVar("T")
_STEP, _SHORTEST = 0.5, 0.1
#: What stands in the way so long, in seconds, is not about to go by itself.
STANDS = 5.0


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands in the way of a command until a person does something: a sentence, and what to do."""

    sentence: str
    remedy: str


class OpenedAnew(Exception):
    """The side that was waited for is closed; another one is or will be open."""


class Patience:
    """Of one call. ``timeout``: seconds from now on, None: as long as it takes; ``progress`` is told at least each second what is
    waited for; once ``stopping`` is set the call ends."""

    def __init__(
        self,
        operation: str,
        dataset: str,
        timeout: float | None,
        progress: Progress,
        stopping: threading.Event,
        stands: float = STANDS,
    ) -> None:
        self._operation = operation
        self._dataset = dataset
        self._timeout = timeout
        self._progress = progress
        self._stopping = stopping
        self._stands = stands
        self.begun = time.monotonic()
        self._met_at: float | None = None

    @property
    def seconds(self) -> float:
        """Since it began, as it is told."""
        return round(time.monotonic() - self.begun, 3)

    def until(
        self,
        step: Callable[[float], T],
        obstacle: Callable[[], Obstacle | None],
        still: Callable[[], bool] | None = None,
    ) -> T:
        """Repeat ``step(seconds)`` until it does not raise ``TryAgain``.

        Raises ``Refused`` when an obstacle has stood for a while, ``TryAgain`` when the time is over or the agent stops,
        ``OpenedAnew`` once not ``still()`` (None: it always is) or when what was waited for was called off."""
        while True:
            now = time.monotonic()
            left = _STEP if self._timeout is None else min(_STEP, self.begun + self._timeout - now)
            try:
                found = step(max(left, 0.0))
                self._met_at = None
                return found
            except CalledOff as error:
                self._waits_for(error.reason, obstacle())
                raise OpenedAnew from error
            except TryAgain as error:
                self._waits_for(error.reason, obstacle())
                if still is not None and not still():
                    raise OpenedAnew from error
            # What cannot be asked now answers at once.
            self._stopping.wait(max(0.0, _SHORTEST - (time.monotonic() - now)))

    def _waits_for(self, reason: str, met: Obstacle | None) -> None:
        if self._stopping.is_set():
            raise TryAgain(self._operation, self._dataset, "the agent is stopping")
        now = time.monotonic()
        if met is None:
            self._met_at = None
        else:
            self._met_at = now if self._met_at is None else self._met_at
            if now - self._met_at >= self._stands:
                raise Refused(self._operation, self._dataset, met.sentence, met.remedy)
        if self._timeout is not None and now >= self.begun + self._timeout:
            what = f"{met.sentence}; {reason}" if met is not None else reason
            remedy = met.remedy if met is not None else "see hikae status for why"
            raise TryAgain(self._operation, self._dataset, f"not within {span_text(self._timeout)}: {what}", remedy)
        self._progress({"phase": self._operation, "waits_for": met.sentence if met is not None else reason})
