"""From what the standby equals to a commit, and whether it equals it: run and verify. The phases are ``converge``'s, what may be
believed is ``checkpoint``'s, and whether a commit may be applied by itself ``holds``'s.

Used by one thread; ``accept`` and ``applied`` may be called by others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from agent.apply.bounds import USUAL, ApplyLimits
from agent.apply.commit_numbers import commit_at
from agent.apply.converger import Converger
from agent.apply.holds import Holds, JudgedFrom
from agent.apply.output.directory import DirectoryOutput
from agent.apply.output.unkept import LEFT_OUT
from agent.apply.ports import CatalogView, Early, LocalFacts, ReadChunk, ReadPatch
from agent.apply.results import Applied, Held, Report, RootFailed, VerifyReport, silent
from agent.apply.run.one_run import Means
from agent.apply.run.wanted import Plan
from agent.apply.standby.kept_problems import Remembered
from agent.apply.standby.standby_root import StandbyPlace, StandbyRoot
from agent.apply.stopping import Ending
from agent.apply.verifying.comparison import Comparison
from agent.apply.verifying.verification import Asked, Verification
from agent.apply.writing.file_content import told_lost
from agent.config.values import Brake
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.errors import NotFound
from agent.core.ids import NOTHING, CommitNumber
from agent.core.problem import ProblemBoard

_log = structlog.get_logger("apply")


@dataclass(frozen=True, slots=True)
class Supply:
    """Where a standby's rows and bytes come from. ``reader`` opens a catalog reader for the applying thread."""

    reader: Callable[[], CatalogView]
    read: ReadChunk
    patch_of: ReadPatch
    early: Early


class Applier:
    """Makes the directory at ``place`` equal to commits."""

    def __init__(
        self,
        place: StandbyPlace,
        supply: Supply,
        local: LocalFacts,
        board: ProblemBoard,
        *,
        clock: Clock,
        brake: Brake,
        limits: ApplyLimits = USUAL,
    ) -> None:
        self.ending = Ending()
        self.holds = Holds(place.dataset, local, board, clock, brake)
        self._supply = supply
        self._view: CatalogView | None = None
        self._local = local
        self._board = board
        self._place = place
        self._standby = StandbyRoot(place, local, self.ending.before(place.step))
        self._remembered = Remembered(local, board, clock)
        self._prepared = False
        read = told_lost(supply.read, self.ending.look)
        self._means = Means(read, supply.patch_of, supply.early, place.left_out, self.ending.look, board, clock, limits)
        self._converger = Converger(local, self._means)
        self._reached = self._converger.reached
        #: Whether the standby was not there when it was looked for last, or is of another time.
        self.is_away = True

    @property
    def applied(self) -> CommitNumber:
        """The commit that the standby equals; after a crash that of the last checkpoint, though it may hold more."""
        return self._reached.whole

    @property
    def stands(self) -> CommitNumber:
        """The commit that it equals but for large files that are being written: not before ``applied``."""
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
    def unfinished(self) -> bool:
        """Whether large files are on their way to ``stands``: :meth:`finish`, or the next converge, goes on with them."""
        return self._reached.trusted and bool(self._reached.late)

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
        """Whether a tree that was there before us is still to be made equal; None until :meth:`prepare` has found out."""
        return self._standby.adopting if self._prepared else None

    def is_there(self) -> bool:
        """Whether the root is there and ours, now. For the applying thread; raises ``RootFull``, ``RootFailed``."""
        try:
            self._standby.open()
        except Held:
            return False
        return True

    def write_early(self) -> bool:
        """Write a little of what came ahead of its commit; whether there is more."""
        return self._supply.early.step(lambda: self._standby.open().temp)

    def accept(self, number: CommitNumber) -> None:
        """An operator lets the held commit ``number`` pass; durable. A later emptying holds anew."""
        self.holds.accept(number)

    def prepare(self) -> None:
        """Make sure that the root is there and ours. Raises ``Held``, ``RootFull``, ``RootFailed``."""
        try:
            output = self._standby.open()
        except Held as held:
            self.is_away = True
            self.holds.stand(held)
            raise
        self._prepared, self.is_away = True, False
        self._tell_unkept(whole=False)
        self._remembered.look(output.root, output.displaced, self._reader)
        self.holds.passes_root()
        if self._standby.found_again:
            self._reached.lost = True
        if self._standby.opened:
            self._doubt_what_is_of_another_time(output)
            self._standby.opened = False
        if self._standby.fresh and self._reached.was_empty():
            self._standby.fresh = False

    def _doubt_what_is_of_another_time(self, output: DirectoryOutput) -> None:
        if self._reached.was_opened(self._reached.age(output, self._reader)):
            what = "the standby, or the state, was put back to an earlier time: everything is compared"
            _log.warning(what, dataset=self._place.dataset)

    # -- run -----------------------------------------------------------------------------------------------------------

    def converge(
        self,
        target: Commit,
        progress: Report = silent,
        has_newer: Callable[[], bool] | None = None,
        *,
        unheld: bool = False,
    ) -> Applied:
        """Make the standby equal to ``target``, which must be the newest sealed commit, or one that an operator brings it to
        (``unheld``: no hold is looked for then). Where ``has_newer()`` it returns before
        large files are whole: all else equals ``target`` then, and the next converge goes on with them.

        Raises ``Held`` (also on the board), ``RootFull``, ``RootFailed`` and errors of our stores. After any of these,
        and after ``Applied.failed``, the next converge believes nothing of what stands and goes on from the same place."""
        self.prepare()
        reached = self._reached
        comes = self.is_short and reached.short.is_due(self._reader, target.number)
        if self.unfinished and target.number == reached.stands and not comes:
            return self._written(target, progress, has_newer)
        if not unheld and (target.number != reached.stands or not comes):
            self._check_holds(target, progress)
        plan = reached.plan(self._reader, target, adopt=self._standby.adopting)
        if plan.trusted and plan.base == target.number and not comes:
            return Applied(target.number)
        reached.begin(target, self._standby.open)
        done = self._run(plan, progress)
        if done.failed or not self._reached.late:
            return done
        late = self._written(target, progress, has_newer)
        return replace(
            late, entries=done.entries, bytes=done.bytes + late.bytes, displaced=done.displaced, redo=done.redo
        )

    def finish(self, progress: Report = silent, interrupted: Callable[[], bool] | None = None) -> Applied:
        """Write the large files that are on their way, whatever is newer; raises as :meth:`converge`."""
        if not self.unfinished:
            return Applied(self.applied)
        self.prepare()
        return self._written(self._commit_that_stands(), progress, interrupted)

    def _origin(self) -> JudgedFrom:
        standby, reached = self._standby, self._reached
        return JudgedFrom(reached.stood, standby.adopting, standby.adopting or standby.found_again, reached.trusted)

    def _check_holds(self, target: Commit, progress: Report) -> None:
        try:
            self.holds.check(self._reader, target, self._origin())
        except Held:
            # What is held begins behind a whole commit.
            self.finish(progress)
            raise

    def _written(self, target: Commit, progress: Report, interrupted: Callable[[], bool] | None) -> Applied:
        return self._converger.write_late(target, self._standby.open, self._reader, progress, interrupted)

    def _run(self, plan: Plan, progress: Report) -> Applied:
        output = self._standby.open()
        if plan.adopt:
            output.sync()  # or stores to mapped memory might hide behind an old stat
        tally = self._converger.run(plan, output, self._reader, progress).tally
        if not tally.failed:
            self._equals(plan)
        self._remembered.keep()
        return Applied(
            self.applied, tally.done_entries, tally.done_bytes, tally.displaced, tally.failed, redo=not plan.trusted
        )

    def _equals(self, plan: Plan) -> None:
        """The standby equals a plan's target now."""
        if plan.survey:
            # A whole survey is dear: it is not done again after a crash.
            self.checkpoint()
        self._standby.known_again()
        if plan.adopt:
            self._standby.adopted_whole()
            self._remembered.adopted(self._standby.open().displaced)

    # -- rest ----------------------------------------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Make what was applied durable: the standby's filesystem first, then our knowledge of it.

        Raises ``RootFailed``: what was written since the last checkpoint is doubtful and is looked at again."""
        if self.checkpointed:
            return
        try:
            output = self._standby.open()
        except RootFailed:
            self._reached.fail()
            raise
        self._reached.write(output, self._reader, self._means.clock)
        self._tell_unkept(whole=True)

    def rest(self) -> None:
        """Nothing to do for now: give descriptors back, so that the standby could be unmounted."""
        self._standby.close()

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

    def _tell_unkept(self, *, whole: bool) -> None:
        self._converger.tell_unkept(self._reader, whole=whole)

    @property
    def _reader(self) -> CatalogView:
        if self._view is None:
            self._view = self._supply.reader()
        return self._view

    def _commit_that_stands(self) -> Commit:
        found = commit_at(self._reader, self.stands)
        if found is None:
            raise NotFound("apply", self._place.dataset, "the commit that stands is not in the catalog any more")
        return found

    # -- verify --------------------------------------------------------------------------------------------------------

    def verify(self, *, deep: bool, progress: Report = silent, repair: bool = False) -> VerifyReport:
        """Compare the standby with the catalog at ``applied``, at once. ``repair``: make it so, try again what was left out, and
        compare again.

        Raises ``Held`` when the root is not ours, and with ``repair`` as :meth:`converge`."""
        verification = self.verification(deep=deep, progress=progress, repair=repair)
        self.moment()
        self.finish()
        while (report := verification.turn(whole=True)) is None:
            pass
        return report

    def verification(self, *, deep: bool, progress: Report = silent, repair: bool = False) -> Verification:
        """The same in slices, between which converges may run: the answer is about the commit that stands at its end."""
        asked = Asked(deep, progress, (lambda found: self._mend(found, progress)) if repair else None)
        return Verification(asked, self.moment, self._means.clock.monotonic, self._means.limits.verify)

    def moment(self) -> Comparison:
        """What a verify compares now. Raises as :meth:`prepare`, and ``RootFailed`` where nothing is known of what stands."""
        self.prepare()
        if self._reached.lost:
            reason = "it is not known yet what of it is as it should be; everything is being compared"
            raise RootFailed("verify", self._standby.path, reason, "it goes on by itself; see hikae status")
        means, reached = self._means, self._reached
        return Comparison(
            self._standby.open(), self._reader, self.stands, means.read, self._local.get, means.left_out,
            reached.short.ids, reached.late.ids(), means.look_for_end, means.limits.differences,
        )  # fmt: skip

    def _mend(self, found: VerifyReport, progress: Report) -> bool:
        """Mend what a verify found, and try again what was left out; whether there was anything."""
        if found.equal and not self._converger.unkept.bits & LEFT_OUT:
            return False
        self.finish()
        self._repair(found, progress)
        return True

    def _repair(self, found: VerifyReport, progress: Report) -> None:
        """Lay the whole tree beside the commit. What was found to differ is read whatever its stat says."""
        target = self._commit_that_stands()
        different = [one.object for one in found.differences if one.object]
        plan = self._reached.plan_repair(target, different, all_doubted=bool(found.more))
        self._reached.begin(target, self._standby.open)
        if not self._run(plan, progress).failed:
            self._standby.open().sync()
            self._reached.repaired()
