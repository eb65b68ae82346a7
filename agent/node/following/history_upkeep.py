"""Upkeep of a standby's catalog: history is shortened by whoever holds the catalog's writing side, between two seals.

A turn is so short, and so seldom, that no commit waits long for it; slices get smaller where the disk is slow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.apply.needed_history import needed_history
from agent.config.values import Dataset
from agent.core.clock import Clock
from agent.core.errors import Refused, TryAgain
from agent.core.ids import NOTHING, CommitNumber
from agent.node.following.generations.generation_keeper import GenerationKeeper
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiring.expiry import Expiry, Horizons
from agent.store.local import Local


@dataclass(frozen=True, slots=True)
class UpkeepLimits:
    """Seconds. ``turn``: after which a turn begins no slice more; ``slice``: what one slice is to take; ``share``: so many times
    as long as a turn took nothing is done after it; ``pause``: between two upkeeps. ``most_rows``, ``least_rows``: of a slice."""

    turn: float = 0.02
    slice: float = 0.005
    share: float = 3.0
    pause: float = 60.0
    least_rows: int = 20
    most_rows: int = 2000


USUAL = UpkeepLimits()


def upkeep_of(
    catalog: Catalog,
    local: Local,
    clock: Clock,
    dataset: Callable[[], Dataset],
    keeper: GenerationKeeper,
    floor: Callable[[Catalog], CommitNumber],
) -> HistoryUpkeep:
    """The upkeep of a standby's catalog. History reaches back for ``history``, for the brake's window, and to what the standby
    itself needs, and to nothing before ``floor``; one of less than a minute is looked after as often as it is long. What is older
    than some minutes is thinned."""

    def wanted() -> Horizons:
        needed = needed_history(local)
        oldest = max(min(keeper.upkeep(catalog), needed), floor(catalog))
        return Horizons(oldest, oldest, min(keeper.whole_since(catalog), needed))

    pause = min(USUAL.pause, float(max(1, dataset().history)))
    return HistoryUpkeep(catalog, wanted, clock, replace(USUAL, pause=pause))


class HistoryUpkeep:
    """To be called by whoever holds the writing side, while nothing is staged. ``wanted``: how far history is to reach, asked for
    once an upkeep."""

    def __init__(
        self, catalog: Catalog, wanted: Callable[[], Horizons], clock: Clock, limits: UpkeepLimits = USUAL
    ) -> None:
        self._expiry = Expiry(catalog, max(limits.least_rows, limits.most_rows // 8))
        self._wanted = wanted
        self._clock = clock
        self._limits = limits
        self._horizons: Horizons | None = None
        self._due = 0.0

    def hurry(self) -> None:
        """How far history is to reach has changed: the next turn asks anew."""
        self._horizons, self._due = None, 0.0

    def turn(self) -> None:
        """A few slices, if it is time. A full disk is waited for, and so is a commit that is staged after all. Raises
        ``StoreFailed``, ``Damaged``."""
        begun = self._clock.monotonic()
        if begun < self._due:
            return
        goes_on = False
        try:
            goes_on = self._slices(begun)
        except (TryAgain, Refused):
            self._horizons = None
        now = self._clock.monotonic()
        self._due = now + (self._limits.share * (now - begun) if goes_on else self._limits.pause)

    def _slices(self, begun: float) -> bool:
        """Whether more is left of this upkeep."""
        horizons = self._horizons = self._horizons or self._wanted()
        if horizons.rows == horizons.whole == NOTHING:
            self._horizons = None
            return False
        at = begun
        while self._expiry.turn(horizons):
            now = self._clock.monotonic()
            self._fit(now - at)
            if now - begun >= self._limits.turn:
                return True
            at = now
        self._horizons = None
        return False

    def _fit(self, took: float) -> None:
        """The next slice, by what this one took."""
        rows, limits = self._expiry.slice_rows, self._limits
        if took > limits.slice:
            self._expiry.slice_rows = max(limits.least_rows, rows // 2)
        elif took < limits.slice / 4:
            self._expiry.slice_rows = min(limits.most_rows, rows * 2)
