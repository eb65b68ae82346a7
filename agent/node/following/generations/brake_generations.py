"""A generation of what stood when a hundredth of it was deleted or rewritten: long before the brake holds anything."""

from __future__ import annotations

from dataclasses import replace

import structlog

from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.core.hold import LOST, Hold
from agent.core.ids import NOTHING, CommitNumber
from agent.core.problem_codes import MASS_DELETION, MASS_REWRITING
from agent.generations.taking import SourceAnswer, WantedGeneration
from agent.node.following.errands import Errands
from agent.node.following.generations.generation_keeper import GenerationKeeper
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.generation import Cause, Generation

#: At most one in so many seconds: a dataset of which a hundredth changes all the time has one an hour.
EVERY = 3600.0
_WANTED = WantedGeneration(Cause.BRAKE, note="a hundredth of what stood then was deleted or rewritten soon after")
_log = structlog.get_logger("node")


class BrakeGenerations:
    """Of one standby. :meth:`look` by the node's thread, :meth:`told` by any."""

    def __init__(self, dataset: str, keeper: GenerationKeeper, errands: Errands, clock: Clock) -> None:
        self._dataset = dataset
        self._keeper = keeper
        self._errands = errands
        self._clock = clock
        self._last = NOTHING
        self._not_before = 0.0
        self._kept: Generation | None = None

    def look(self, noted: CommitNumber) -> None:
        """``noted``: from where so much is gone since (``Guard.noted``). It is kept by whoever has the catalog."""
        if noted <= self._last or self._clock.monotonic() < self._not_before:
            return
        self._last, self._not_before = noted, self._clock.monotonic() + EVERY
        self._errands.post(lambda catalog: self._keep(catalog, noted))

    def told(self, hold: Hold | None) -> Hold | None:
        """The hold with the generation of what stood before what it says began, where one was taken. What is spread over hours
        began with what was noted; what comes at once, unweighed, has nothing to do with what was noted hours before."""
        one = self._kept
        if hold is None or hold.code not in LOST or one is None:
            return hold
        weighed = hold.code in (MASS_DELETION, MASS_REWRITING)
        return replace(hold, generation=one.name) if weighed or one.taken > hold.since - int(EVERY * 1e9) else hold

    def _keep(self, catalog: Catalog, noted: CommitNumber) -> None:
        since = self._keeper.move_clock(catalog) - int(EVERY * 1e9)
        kept = [one for one in catalog.generations() if one.cause is Cause.BRAKE and one.dated > since]
        if kept:
            self._kept = kept[-1]
            return
        try:
            self._kept = self._keeper.keep(catalog, _WANTED, SourceAnswer(noted))
        except HikaeError as error:
            _log.warning("what stood was not kept", dataset=self._dataset, reason=str(error))
