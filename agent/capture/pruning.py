"""The primary's catalog forgets what no peer needs any more, a slice at a time, when nothing else is to be done."""

from __future__ import annotations

from collections.abc import Callable

from agent.core.clock import Clock
from agent.core.ids import NOTHING, CommitNumber
from agent.store.catalog import Catalog

PAUSE = 60.0


class Pruning:
    """Belongs to the pump's thread. ``prunable``: rows that ended by this commit may go; ``NOTHING``: none."""

    def __init__(self, catalog: Catalog, prunable: Callable[[], CommitNumber], clock: Clock) -> None:
        self._catalog = catalog
        self._prunable = prunable
        self._clock = clock
        self._due = 0.0

    def turn(self) -> None:
        """Prune one slice, if it is time. Raises as ``Catalog.prune``."""
        now = self._clock.monotonic()
        if now < self._due:
            return
        upto = self._prunable()
        if upto == NOTHING or not self._catalog.prune(upto):
            self._due = now + PAUSE
