"""From what the standby equals to a commit, and whether it equals it: run and verify. The phases are ``converge``'s, what may be
believed is ``checkpoint``'s, and whether a commit may be applied by itself ``holds``'s.

Used by one thread; ``accept`` and ``applied`` may be called by others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.apply.bounds import USUAL, ApplyLimits
from agent.apply.converger import Converger
from agent.apply.holds import Holds
from agent.apply.output.directory import DirectoryOutput
from agent.apply.output.unkept import LEFT_OUT
from agent.apply.ports import CatalogView, Early, LocalFacts, ReadChunk, ReadPatch
from agent.apply.results import Applied, Held, Report, RootFailed, VerifyReport, silent
from agent.apply.run.one_run import Means
from agent.apply.run.wanted import Plan
from agent.apply.standby.kept_problems import Remembered
from agent.apply.standby.standby_root import StandbyPlace, StandbyRoot
from agent.apply.standby_applier import StandbyApplier
from agent.apply.stopping import Ending
from agent.apply.verifying.comparison import Comparison
from agent.apply.verifying.verification import Asked, Verification
from agent.apply.writing.file_content import told_lost
from agent.config.values import Brake
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.problem import ProblemBoard


@dataclass(frozen=True, slots=True)
class Supply:
    """Where a standby's rows and bytes come from. ``reader`` opens a catalog reader for the applying thread."""

    reader: Callable[[], CatalogView]
    read: ReadChunk
    patch_of: ReadPatch
    early: Early


class Applier(StandbyApplier[CatalogView, DirectoryOutput]):
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
        ending = Ending()
        self._supply = supply
        self._local = local
        self._remembered = Remembered(local, board, clock)
        read = told_lost(supply.read, ending.look)
        self._means = Means(read, supply.patch_of, supply.early, place.left_out, ending.look, board, clock, limits)
        self._converger = Converger(local, self._means)
        super().__init__(
            place.dataset,
            StandbyRoot(place, local, ending.before(place.step)),
            self._converger.reached,
            supply.reader,
            holds=Holds(place.dataset, local, board, clock, brake),
            ending=ending,
            clock=clock,
        )

    @property
    def unfinished(self) -> bool:
        """Whether large files are on their way to ``stands``: :meth:`finish`, or the next converge, goes on with them."""
        return self._reached.trusted and bool(self._reached.late)

    def write_early(self) -> bool:
        """Write a little of what came ahead of its commit; whether there is more."""
        return self._supply.early.step(lambda: self._standby.open().temp)

    def _found(self, standing: DirectoryOutput) -> None:
        self._converger.tell_unkept(self._reader, whole=False)
        self._remembered.look(standing.root, standing.displaced, self._reader, self.stands)

    # -- run -----------------------------------------------------------------------------------------------------------

    def converge(
        self,
        target: Commit,
        progress: Report,
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
        comes = self._comes(target)
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

    def finish(self, progress: Report, interrupted: Callable[[], bool] | None = None) -> Applied:
        """Write the large files that are on their way, whatever is newer; raises as :meth:`converge`."""
        if not self.unfinished:
            return Applied(self.applied)
        self.prepare()
        return self._written(self._commit_that_stands(), progress, interrupted)

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
        super()._equals(plan)
        if plan.adopt:
            self._remembered.adopted(self._standby.open().displaced)

    # -- rest ----------------------------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Nothing to do for now: give descriptors back, so that the standby could be unmounted."""
        self._standby.close()

    def _noted(self) -> None:
        self._converger.tell_unkept(self._reader, whole=True)

    # -- verify --------------------------------------------------------------------------------------------------------

    def verify(self, *, deep: bool, repair: bool = False) -> VerifyReport:
        """Compare the standby with the catalog at ``applied``, at once. ``repair``: make it so, try again what was left out, and
        compare again.

        Raises ``Held`` when the root is not ours, and with ``repair`` as :meth:`converge`."""
        verification = self.verification(deep=deep, progress=silent, repair=repair)
        self.moment()
        self.finish(silent)
        while (report := verification.turn(whole=True)) is None:
            pass
        return report

    def verification(self, *, deep: bool, progress: Report, repair: bool = False) -> Verification:
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
        self.finish(progress)
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
