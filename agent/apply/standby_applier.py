"""What the applier of a tree and that of a device have in common: how far the standby is, whether it is there and ours, when what
was done is durable, and the end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from agent.apply.checkpoint import Checkpoint
from agent.apply.commit_numbers import commit_at
from agent.apply.holds import Holds, JudgedFrom
from agent.apply.ports import CatalogView
from agent.apply.results import Held, RootFailed
from agent.apply.run.wanted import Plan
from agent.apply.standby.taken import Standing, TakenStandby
from agent.apply.stopping import Ending
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.errors import NotFound
from agent.core.ids import NOTHING, CommitNumber

_log = structlog.get_logger("apply")

View = TypeVar("View", bound=CatalogView)


class StandbyApplier(ABC, Generic[View, Standing]):
    """How far one standby is, for the applying thread; ``accept`` and ``applied`` may be called by others. ``reader`` opens a
    catalog reader for that thread. Who makes the standby equal to a commit derives from this."""

    def __init__(
        self,
        dataset: str,
        standby: TakenStandby[Standing],
        reached: Checkpoint,
        reader: Callable[[], View],
        *,
        holds: Holds,
        ending: Ending,
        clock: Clock,
    ) -> None:
        self.ending = ending
        self.holds = holds
        #: Whether the standby was not there when it was looked for last, or is of another time.
        self.is_away = True
        self._dataset = dataset
        self._standby = standby
        self._reached = reached
        self._open_reader = reader
        self._clock = clock
        self._view: View | None = None
        self._prepared = False

    @property
    def applied(self) -> CommitNumber:
        """The commit that the standby equals; after a crash that of the last checkpoint, though it may hold more."""
        return self._reached.whole

    @property
    def stands(self) -> CommitNumber:
        """The commit that it equals but for what is still being written: not before ``applied``."""
        return self._reached.stands

    @property
    def checkpointed(self) -> bool:
        """Whether what was done is durable, or is not worth it: nobody knows what stands there."""
        return self._reached.is_durable

    @property
    def checkpointed_at(self) -> CommitNumber:
        """The commit of the last checkpoint: a redo goes back as far as this, so history must reach it."""
        return self._reached.reaches_back_to

    @property
    def redoes(self) -> bool:
        """Whether the next converge believes nothing."""
        return not self._reached.trusted

    @property
    def is_short(self) -> bool:
        """Whether something that is owed does not stand as ``stands`` says."""
        return bool(self._reached.short.ids)

    @property
    def adopting(self) -> bool | None:
        """Whether what was there before us is still to be made equal; None until :meth:`prepare` has found out."""
        return self._standby.adopting if self._prepared else None

    def is_there(self) -> bool:
        """Whether the standby is there and ours, now. For the applying thread; raises ``RootFull``, ``RootFailed``."""
        try:
            self._standby.open()
        except Held:
            return False
        return True

    def accept(self, number: CommitNumber) -> None:
        """An operator lets the held commit ``number`` pass; durable. A later emptying holds anew."""
        self.holds.accept(number)

    def prepare(self) -> None:
        """Make sure that the standby is there, ours, and fit for what comes. Raises ``Held``, ``RootFull``, ``RootFailed``."""
        standby = self._standby
        try:
            standing = self._fit()
        except Held as held:
            self.is_away = True
            self.holds.stand(held)
            raise
        self._prepared, self.is_away = True, False
        self._found(standing)
        self.holds.passes_root()
        if standby.found_again or standby.doubtful:
            self._reached.lost = True
        if standby.opened:
            self._doubt_what_is_of_another_time(standing)
            standby.opened = standby.doubtful = False
        if standby.fresh and self._reached.was_empty():
            standby.fresh = False

    def _fit(self) -> Standing:
        """What stands there, sure to be ours, and fit for what comes. Raises as :meth:`prepare`."""
        return self._standby.open()

    @abstractmethod
    def _found(self, standing: Standing) -> None:
        """The standby was found, and nothing is judged of it yet: what is to be told of it is told here."""

    def _doubt_what_is_of_another_time(self, standing: Standing) -> None:
        if self._reached.was_opened(self._reached.age(standing, self._reader)):
            what = "the standby, or the state, was put back to an earlier time: everything is compared"
            _log.warning(what, dataset=self._dataset)

    def _comes(self, target: Commit) -> bool:
        """Whether ``target`` brings something that is owed."""
        return self.is_short and self._reached.short.is_due(self._reader, target.number)

    def _origin(self) -> JudgedFrom:
        """From what losses are judged now."""
        standby, reached = self._standby, self._reached
        return JudgedFrom(reached.stood, standby.adopting, standby.adopting or standby.found_again, reached.trusted)

    def _equals(self, plan: Plan) -> None:
        """The standby equals a plan's target now."""
        if plan.survey:
            # A whole survey is dear: it is not done again after a crash.
            self.checkpoint()
        self._standby.known_again()
        if plan.adopt:
            self._standby.adopted_whole()

    def checkpoint(self) -> None:
        """Make what was applied durable: the standby first, then our knowledge of it.

        Raises ``RootFailed``: what was written since the last checkpoint is doubtful and is looked at again."""
        if self.checkpointed:
            return
        try:
            standing = self._standby.open()
        except RootFailed:
            self._reached.fail()
            raise
        self._reached.write(standing, self._reader, self._clock)
        self._noted()

    @abstractmethod
    def _noted(self) -> None:
        """What was applied is durable now."""

    def close(self) -> None:
        """Checkpoint, remember that the end was clean, give everything back."""
        try:
            if self._reached.trusted and self.stands != NOTHING:
                self.checkpoint()
                self._reached.end()
        finally:
            self._reached.late.give_up()
            self._standby.close()
            if self._view is not None:
                self._view.close()
                self._view = None

    @property
    def _reader(self) -> View:
        if self._view is None:
            self._view = self._open_reader()
        return self._view

    def _commit_that_stands(self) -> Commit:
        found = commit_at(self._reader, self.stands)
        if found is None:
            raise NotFound("apply", self._dataset, "the commit that stands is not in the catalog any more")
        return found
