"""Who may be writing what a dataset captures here, by what the dataset is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

from agent.core.clock import Clock
from agent.fs.attaching.device_writers import device_writers
from agent.fs.writers.held_open import files_held_open
from agent.fs.writers.processes import Writer, asks_the_kernel, writers_below
from agent.watch.asked_before import AskedBefore, asked_before

#: Seconds after the last use for which what was asked ahead is kept: between a gate and the step that asks again, a hook may run.
KEPT = 120.0


class WritersHere:
    """Of one open primary; any thread. ``holds``: whether a handle is that of an object of the tree."""

    def __init__(self, path: str, holds: Callable[[bytes], bool], clock: Clock, *, is_device: bool) -> None:
        self._path = path
        self._is_device = is_device
        self._holds = holds
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        self._used = clock.monotonic()
        self._asked: AskedBefore | None = None

    def ask_ahead(self, look: Callable[[], None]) -> None:
        """What can be asked while the application still writes, so that :meth:`found` is quick for a while. ``look`` is called
        now and then, and may raise."""
        if self._is_device or not asks_the_kernel():
            return
        with self._lock:
            self._used = self._clock.monotonic()
            if self._asked is None or self._asked.is_void:
                self._asked = asked_before(self._path, self._holds, look, self._is_over)
            self._used = self._clock.monotonic()

    def found(self, look: Callable[[], None]) -> list[Writer]:
        """Who may be writing now; see ``fs.writers``. ``look`` is called now and then while all files are asked of, and may
        raise."""
        if self._is_device:
            return device_writers(self._path)
        with self._lock:
            self._used = self._clock.monotonic()
            return writers_below(self._path, self._holds, partial(self._held, look))

    def close(self) -> None:
        """Nobody asks any more."""
        self._closed = True

    def _held(self, look: Callable[[], None], root: str) -> Iterator[str]:
        if self._asked is not None:
            try:
                yield from self._asked.held(look)
                return
            except OSError:
                self._asked.close()
        yield from files_held_open(root, look)

    def _is_over(self) -> bool:
        return self._closed or self._clock.monotonic() > self._used + KEPT
