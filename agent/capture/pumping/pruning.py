"""The primary's catalog forgets what history does not reach any more, a slice at a time, when nothing else is to be done.

Never what the local facts on the disk do not know of: after a power cut they name by it what is to be doubted (law 5).
"""

from __future__ import annotations

from collections.abc import Callable

from agent.core.clock import Clock
from agent.core.ids import NOTHING, CommitNumber
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiring.expiry import Expiry, Horizons
from agent.store.local import Local

PAUSE = 60.0


class Pruning:
    """Belongs to the pump's thread. ``horizons``: how far history is to reach now."""

    def __init__(self, catalog: Catalog, local: Local, horizons: Callable[[], Horizons], clock: Clock) -> None:
        self._expiry = Expiry(catalog)
        self._local = local
        self._settled = NOTHING
        self._horizons = horizons
        #: How far this round goes: commits that come meanwhile wait for the next one, else a writer who never rests would have
        #: it never end.
        self._round: Horizons | None = None
        self._clock = clock
        self._due = 0.0

    def turn(self) -> None:
        """Prune one slice of the round, if it is time. Raises as ``Expiry.turn`` and ``Local``."""
        now = self._clock.monotonic()
        if now < self._due:
            return
        wanted = self._round = self._round or self._wanted()
        if not self._expiry.turn(wanted):
            self._round = None
            self._due = now + PAUSE

    def _wanted(self) -> Horizons:
        wanted = self._horizons()
        rows = self._known_on_disk(wanted.rows)
        return Horizons(rows, min(wanted.commits, rows))

    def _known_on_disk(self, wanted: CommitNumber) -> CommitNumber:
        """``wanted``, or the commit up to which the local facts hold durably, if that is before it."""
        if wanted > self._settled:
            mark = self._local.settle()
            self._settled = mark.number if mark is not None else NOTHING
        return min(wanted, self._settled)
