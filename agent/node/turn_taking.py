"""Receiving and applying share one interpreter; taking turns spares them a fight over it at every system call.

Without turns a first sync of small files makes five futex calls a file. Receiving comes first, since it decides what would be
lost. Nobody ever waits long: a side that gets no turn in time goes on without.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Steps between two looks whether the receiver wants its turn.
STEPS = 8
RECEIVER_SECONDS = 0.01
APPLIER_SECONDS = 0.05


class Turns:
    """The turns of one dataset's receiver and applier, each of one thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calm = threading.Event()
        self._calm.set()
        self._applying = False
        self._steps = 0

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """The receiver's turn; it comes as soon as the applier has finished a few steps."""
        self._calm.clear()
        mine = self._lock.acquire(timeout=RECEIVER_SECONDS)
        try:
            yield
        finally:
            if mine:
                self._lock.release()
            self._calm.set()

    def step(self, _what: str) -> None:
        """The applier begins a change of the standby (``apply.output.directory.Step``)."""
        self._steps += 1
        if self._applying:
            if self._steps % STEPS or self._calm.is_set():
                return
            self.rest()
        self._calm.wait(APPLIER_SECONDS)
        self._applying = self._lock.acquire(timeout=APPLIER_SECONDS)

    def rest(self) -> None:
        """The applier does something else, or waits."""
        if self._applying:
            self._applying = False
            self._lock.release()
