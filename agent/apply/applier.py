"""From what the standby equals to a commit: roots, holds, what may be believed, checkpoints. The phases are ``converge``'s.

Used by one thread; ``accept`` and ``applied`` may be called by others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog

from agent.apply.bounds import USUAL, ApplyLimits
from agent.apply.brake.judge import Guard, Reached
from agent.apply.brake.limits import ACCEPTABLE, judge, trailing_empty
from agent.apply.checkpoint import CHECKPOINT, LATE, number_of, numbers_of, packed, vouch
from agent.apply.commits import commits_after, counts_at
from agent.apply.converge.deferred import LateFiles
from agent.apply.converge.phases import converge
from agent.apply.converge.refresh import go_on
from agent.apply.converge.run import Means, Run
from agent.apply.converge.standing_entries import StandingEntries
from agent.apply.converge.tally import Due, Tally
from agent.apply.converge.touched import finish_touched
from agent.apply.converge.wanted import Plan, WantedRows
from agent.apply.ending import Ending
from agent.apply.holds import Holds
from agent.apply.kept_problems import Remembered
from agent.apply.output.directory import StandbyTree, Step, foreign_errors, no_step, whole
from agent.apply.output.ledger import Ledger
from agent.apply.output.unkept import LEFT_OUT, UnkeptReport
from agent.apply.owed_versions import Short
from agent.apply.ports import (
    NOTHING_EARLY,
    Adopted,
    CatalogView,
    Early,
    LeftOut,
    LocalFacts,
    NothingAdopted,
    ReadChunk,
    ReadPatch,
    no_patch,
    nothing_left_out,
)
from agent.apply.results import Applied, Held, Report, StandbyFailed, VerifyReport, silent
from agent.apply.standby_root import StandbyRoot
from agent.apply.standby_token import TOKEN, Age
from agent.apply.verify import verify
from agent.apply.writing.file_content import told_lost
from agent.config.values import Brake
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.errors import NotFound
from agent.core.hold import Hold
from agent.core.ids import NOTHING, CommitNumber, ObjectId, shown_commit
from agent.core.problem import ProblemBoard, Severity
from agent.core.problem_codes import (
    ADOPT_WAITS,
    APPLY_FAILED,
    CHUNK_DAMAGED,
    IMPOSSIBLE_ROW,
    LINEAGE_WAITS,
    PROBLEM_CODES,
    SOURCE_EMPTIED,
)
from agent.fs.confined import create_nameless
from agent.fs.expected import BY_HANDLE, Expect

_log = structlog.get_logger("apply")
_ATTEMPTS = "attempts"
_ACCEPTED = "accepted"
_PINNED = "held-from"
_ENDED = "ended-clean"
#: All that stands in local facts of how far one standby is; empty is nothing.
STATE = (CHECKPOINT, LATE, _ATTEMPTS, _PINNED, _ENDED, TOKEN)
#: So many targets since the checkpoint are remembered, to know again what a run that was cut short left.
_ATTEMPTS_KEPT = 64
#: After a power cut the list of attempts may be an old one: so many commits after the checkpoint stand for the rest of it.
_GUESSES = 300

_AGAIN = "it is tried again"
_PASSING = (CHUNK_DAMAGED, APPLY_FAILED, IMPOSSIBLE_ROW)


def never() -> bool:
    """Nothing comes in between."""
    return False


class Applier:
    """Makes ``root`` equal to commits. ``reader`` opens a catalog reader for the applying thread; ``scratch`` is a directory for
    temporary files; ``step`` is called with a word before every change of the standby (tests end a run there). ``adopt``: a
    root that is not empty is taken over, with what is known of it in ``adopted``."""

    def __init__(
        self,
        root: str,
        reader: Callable[[], CatalogView],
        local: LocalFacts,
        chunks: ReadChunk,
        board: ProblemBoard,
        clock: Clock,
        *,
        dataset: str = "",
        scratch: str | None = None,
        step: Step = no_step,
        adopt: bool = False,
        adopted: Adopted | None = None,
        brake: Brake = Brake(),
        patch_of: ReadPatch = no_patch,
        early: Early = NOTHING_EARLY,
        expect: Expect = BY_HANDLE,
        left_out: LeftOut = nothing_left_out,
        limits: ApplyLimits = USUAL,
        make_nameless: Callable[[int], int] = create_nameless,
    ) -> None:
        self._limits = limits
        self.ending = Ending()
        self._open_reader = reader
        self._view: CatalogView | None = None
        self._local = local
        self._chunk = told_lost(chunks, self.ending.look)
        self._patch_of = patch_of
        self._early = early
        self._board = board
        self._clock = clock
        self._dataset = dataset
        self._scratch = scratch
        self._standby = StandbyRoot(
            root,
            dataset,
            local,
            self.ending.before(step),
            adopt,
            adopted or NothingAdopted(),
            scratch,
            expect,
            left_out=left_out,
            make_nameless=make_nameless,
        )
        self._left_out = left_out
        self._unkept = UnkeptReport(local.unkept, board)
        self._remembered = Remembered(local, board, clock)
        self._prepared = False
        #: What the standby equals but for the files in ``_late``, and what it equals with them.
        self._stands = self._whole = self._checkpoint = number_of(local.value(CHECKPOINT))
        self._late = LateFiles(limits)
        #: Files that were late when nobody could go on with them: they may hold anything.
        whole, *ids = numbers_of(local.value(LATE)) or (self._whole,)
        self._whole, self._doubted = whole, frozenset(map(ObjectId, ids))
        self._noted = self._doubted
        self._short = Short(local)
        self._holds = Holds(board, clock)
        self._accepted = number_of(local.value(_ACCEPTED))
        #: Replaced by any thread when the configuration was read again.
        self.brake = brake
        self._guard = Guard(brake, clock)
        self._pinned = number_of(local.value(_PINNED))
        self._attempts = numbers_of(local.value(_ATTEMPTS))
        self._clean = local.value(_ENDED) == b"yes"
        self._trusted = self._clean and not self._attempts and not self._doubted
        self._lost = False
        #: Whether the standby was not there when it was looked for last, or is of another time.
        self.is_away = True
        #: Directories made since the checkpoint: a redo knows them to be new, and what is half-written in them to be ours.
        self._made: set[ObjectId] = set()

    @property
    def applied(self) -> CommitNumber:
        """The commit that the standby equals; after a crash that of the last checkpoint, though it may hold more."""
        return self._whole

    @property
    def stands(self) -> CommitNumber:
        """The commit that it equals but for large files that are being written: not before ``applied``."""
        return self._stands

    @property
    def checkpointed(self) -> bool:
        """Whether what was done is durable, or is not worth it: nobody knows what stands there."""
        if self._lost:
            return True
        return self._checkpoint == self._stands and self._noted == self._unsure() and self._short.noted

    @property
    def checkpointed_at(self) -> CommitNumber:
        """The commit of the last checkpoint: a redo goes back as far as this, so history must reach it."""
        return min(self._checkpoint, self._whole)

    @property
    def unfinished(self) -> bool:
        """Whether large files are on their way to ``stands``: :meth:`finish`, or the next converge, goes on with them."""
        return self._trusted and bool(self._late)

    @property
    def redoes(self) -> bool:
        """Whether the next converge believes nothing."""
        return not self._trusted

    @property
    def is_short(self) -> bool:
        """Whether something that is owed does not stand as ``stands`` says."""
        return bool(self._short.ids)

    @property
    def adopting(self) -> bool | None:
        """Whether a tree that was there before us is still to be made equal; None until :meth:`prepare` has found out."""
        return self._standby.adopting if self._prepared else None

    def is_there(self) -> bool:
        """Whether the root is there and ours, now. For the applying thread; raises ``StandbyFull``, ``StandbyFailed``."""
        try:
            self._standby.open()
        except Held:
            return False
        return True

    def write_early(self) -> bool:
        """Write a little of what came ahead of its commit; whether there is more."""
        return self._early.step(lambda: self._standby.open().temp)

    def prepare(self) -> None:
        """Make sure that the root is there and ours. Raises ``Held``, ``StandbyFull``, ``StandbyFailed``."""
        try:
            world = self._standby.open()
        except Held as held:
            self.is_away = True
            self._holds.stand(held)
            raise
        self._prepared, self.is_away = True, False
        self._tell_unkept(whole=False)
        self._remembered.look(world.root, world.displaced, self._reader)
        # What the commits hold is not looked at here.
        self._holds.clear(LINEAGE_WAITS, ADOPT_WAITS, *ACCEPTABLE)
        if self._standby.found_again:
            self._lost = True
        if self._standby.opened:
            self._doubt_what_is_of_another_time(world)
            self._standby.opened = False
        if self._standby.fresh and not self._attempts:
            # Nothing can stand in the way in a directory that was empty a moment ago.
            self._trusted, self._standby.fresh = True, False

    def _doubt_what_is_of_another_time(self, world: StandbyTree) -> None:
        """The standby was opened just now: leave only that believed which holds of what stands there."""
        with foreign_errors(world.path):
            age = self._standby.token.age(world.private, self._commit)
        if age is Age.OTHER and not self._lost:
            what = "the standby, or the state, was put back to an earlier time: everything is compared"
            _log.warning(what, dataset=self._dataset)
            self._lost = True
        if self._lost:
            self._stands = self._whole = self._checkpoint = NOTHING
            self._trusted = False
        elif age is Age.AHEAD or not self.checkpointed:
            # What was written since the checkpoint may be there or not.
            self._stands, self._trusted = self._checkpoint, False
            self._whole = min(self._whole, self._checkpoint)

    def _commit(self, number: CommitNumber) -> Commit | None:
        found = self._reader.commits(CommitNumber(number - 1), 1) if number else []
        return found[0] if found and found[0].number == number else None

    def converge(self, target: Commit, progress: Report = silent, has_newer: Callable[[], bool] = never) -> Applied:
        """Make the standby equal to ``target``, which must be the newest sealed commit. Where ``has_newer()`` it returns before
        large files are whole: all else equals ``target`` then, and the next converge goes on with them.

        Raises ``Held`` (also on the board), ``StandbyFull``, ``StandbyFailed`` and errors of our stores. After any of these,
        and after ``Applied.failed``, the next converge believes nothing of what stands and goes on from the same place."""
        self.prepare()
        comes = self.is_short and self._short.is_due(self._reader, target.number)
        if self.unfinished and target.number == self._stands and not comes:
            return self._written(target, progress, has_newer)
        try:
            if target.number != self._stands or not comes:
                self._check_holds(target)
        except Held:
            # What is held begins behind a whole commit.
            self.finish(progress)
            raise
        run = self._plan(target)
        if run.trusted and run.base == target.number and not comes:
            return Applied(target.number)
        self._begin(target)
        done = self._run(run, progress)
        if done.failed or not self._late:
            return done
        late = self._written(target, progress, has_newer)
        return replace(
            late, entries=done.entries, bytes=done.bytes + late.bytes, displaced=done.displaced, redo=done.redo
        )

    def finish(self, progress: Report = silent, interrupted: Callable[[], bool] = never) -> Applied:
        """Write the large files that are on their way, whatever is newer; raises as :meth:`converge`."""
        if not self.unfinished:
            return Applied(self._whole)
        self.prepare()
        return self._written(self._reader.commits(CommitNumber(self._stands - 1), 1)[0], progress, interrupted)

    def _written(self, target: Commit, progress: Report, interrupted: Callable[[], bool]) -> Applied:
        """Go on with late files, at least by a step, of a standby that equals ``target`` but for them."""
        written = 0
        self._trusted = False
        while True:
            tally = self._acted(Plan(self._stands, target, trusted=True), progress, _late_step).tally
            written += tally.done_bytes
            if tally.failed:
                return Applied(self._whole, bytes=written, failed=tally.failed)
            if not self._late or interrupted():
                break
        self._trusted = True
        if not self._late:
            self._whole = self._stands
        return Applied(self._whole, bytes=written)

    def _run(self, run: Plan, progress: Report) -> Applied:
        if run.adopt:
            self._standby.open().sync()  # or stores to mapped memory might hide behind an old stat
        for code in _PASSING:
            self._board.clear_code(code)
        return self._end(run, self._acted(run, progress, converge))

    def _acted(self, plan: Plan, progress: Report, act: Callable[[Run], None]) -> Run:
        """Do something to the standby with all that a run knows; what ended it is raised as ours."""
        output = self._standby.open()
        run = self._begun(plan, output, progress)
        try:
            act(run)
        except OSError as error:
            raise whole(error, output.path) or StandbyFailed("apply", output.path, str(error), _AGAIN) from error
        except NotFound as error:
            # The history that the difference needs is pruned: what stands is laid beside the whole commit.
            self._lost = True
            raise StandbyFailed("apply", output.path, error.reason, _AGAIN) from error
        finally:
            self._short.add(run.wanted.left)
            run.close()
        self._unkept.ran(run.standing.newly_unkept)
        self._tell_unkept(whole=False)
        return run

    def _begun(self, plan: Plan, output: StandbyTree, progress: Report) -> Run:
        wanted = WantedRows(self._reader, plan)
        standing = StandingEntries(output, Ledger(self._local), wanted, self._made, self._unkept.bits)
        means = Means(
            self._chunk,
            self._patch_of,
            self._early,
            self._left_out,
            self.ending.look,
            self._board,
            self._clock,
            self._limits,
        )
        total = max(0, plan.target.bytes - counts_at(self._reader, plan.base).bytes)
        return Run(plan, wanted, standing, output, means, self._late, Tally(progress, total_bytes=total), Due())

    def _tell_unkept(self, *, whole: bool) -> None:
        self._unkept.tell(self._clock.now_ns(), self._reader.path_of, whole=whole)

    def checkpoint(self) -> None:
        """Make what was applied durable: the standby's filesystem first, then our knowledge of it.

        Raises ``StandbyFailed``: what was written since the last checkpoint is doubtful and is looked at again."""
        if self.checkpointed:
            return
        try:
            stands = self._commit(self._stands)
            if stands is not None:
                self._draw(stands)
            world, synced_at = self._standby.open(), self._clock.now_ns()
            world.sync()
        except StandbyFailed:
            self._stands, self._trusted = self._checkpoint, False
            self._whole = min(self._whole, self._checkpoint)
            raise
        if self._trusted:
            self._attempts = ()
            self._local.set_value(_ATTEMPTS, b"")
        unsure = self._unsure()
        noted = packed((self._whole, *sorted(unsure))) if unsure else b""
        if noted or self._noted:
            self._local.set_value(LATE, noted)
        self._short.note()
        if stands is not None:
            self._standby.token.note()
            vouch(self._local, world.root, synced_at, stands, unsure | self._short.ids)
        self._local.set_value(CHECKPOINT, packed((self._stands,)), durable=True)
        self._checkpoint, self._noted = self._stands, unsure
        self._made.clear()
        self._tell_unkept(whole=True)

    def _draw(self, towards: Commit) -> None:
        world = self._standby.open()
        with foreign_errors(world.path):
            self._standby.token.draw(world.private, towards)

    def rest(self) -> None:
        """Nothing to do for now: give descriptors back, so that the standby could be unmounted."""
        self._standby.close()

    def close(self) -> None:
        """Checkpoint, remember that the end was clean, give everything back."""
        try:
            if self._trusted and self._stands != NOTHING:
                self.checkpoint()
                self._local.set_value(_ENDED, b"yes", durable=True)
        finally:
            self._late.give_up()
            self._standby.close()
            if self._view is not None:
                self._view.close()
                self._view = None

    def accept(self, number: CommitNumber) -> None:
        """An operator lets the held commit ``number`` pass; durable. A later emptying holds anew."""
        self._local.set_value(_ACCEPTED, packed((number,)), durable=True)
        self._accepted = number

    def verify(self, *, deep: bool, progress: Report = silent, repair: bool = False) -> VerifyReport:
        """Compare the standby with the catalog at ``applied``. ``repair``: make it so, try again what was
        left out, and compare again.

        Raises ``Held`` when the root is not ours, and with ``repair`` as :meth:`converge`."""
        self.prepare()
        if self._lost:
            reason = "it is not known yet what of it is as it should be; everything is being compared"
            raise StandbyFailed("verify", self._standby.path, reason, "it goes on by itself; see hikae status")
        self.finish()
        found = self._compared(deep, progress)
        if not repair or (found.equal and not self._unkept.bits & LEFT_OUT):
            return found
        self._repair(found, progress)
        left = self._compared(deep, progress)
        return replace(left, repaired=max(0, _count(found) - _count(left)))

    def _compared(self, deep: bool, progress: Report) -> VerifyReport:
        look, world, known = self.ending.look, self._standby.open(), (self._local.get, self._left_out, self._short.ids)
        most = self._limits.differences
        return verify(
            world, self._reader, self._stands, self._chunk, *known, deep=deep, progress=progress, look=look, most=most
        )

    def _repair(self, found: VerifyReport, progress: Report) -> None:
        """Lay the whole tree beside the commit. What was found to differ is read whatever its stat says."""
        target = self._reader.commits(CommitNumber(self._stands - 1), 1)[0]
        self._doubted |= self._late.give_up()
        doubted, short = self._unsure().union(one.object for one in found.differences if one.object), self._short.ids
        self._begin(target)
        believed = None if found.more else doubted | short
        run = Plan(self._stands, target, trusted=False, survey=True, doubted=believed, short=short)
        if not self._run(run, progress).failed:
            self._standby.open().sync()
            self._attempts = ()
            self._local.set_value(_ATTEMPTS, b"", durable=True)

    # -- what may be believed ------------------------------------------------------------------------------------------

    @property
    def _reader(self) -> CatalogView:
        if self._view is None:
            self._view = self._open_reader()
        return self._view

    def _plan(self, target: Commit) -> Plan:
        base, short = self._stands, self._short.ids
        adopt = self._standby.adopting
        survey = adopt or self._lost or self._is_broken(base)
        trusted = self._trusted and not survey
        if not trusted:
            self._doubted |= self._late.give_up()
        if adopt or self._lost:
            return Plan(NOTHING, target, trusted=False, survey=True, adopt=adopt, doubted=self._doubted | short)
        guesses = () if trusted else self._guesses(base)
        return Plan(base, target, trusted, guesses, survey, doubted=self._doubted | short, short=short)

    def _unsure(self) -> frozenset[ObjectId]:
        """Files that are not, or may not be, as what stands says."""
        return self._doubted | self._late.ids()

    def _is_broken(self, base: CommitNumber) -> bool:
        return base != NOTHING and any(commit.parent == NOTHING for commit in commits_after(self._reader, base))

    def _guesses(self, base: CommitNumber) -> tuple[CommitNumber, ...]:
        later = (commit.number for commit in reversed(self._reader.commits(base, _GUESSES)))
        return tuple(dict.fromkeys((*reversed(self._attempts), *later)))

    def _begin(self, target: Commit) -> None:
        if self._clean:
            # From here on an end is no clean one, also after a power cut, or where all that is known here is put back.
            self._draw(target)
            self._local.set_value(_ENDED, b"no", durable=True)
            self._clean = False
        self._attempts = (*self._attempts, target.number)[-_ATTEMPTS_KEPT:]
        self._local.note_value(_ATTEMPTS, packed(self._attempts))
        self._trusted = False

    def _end(self, plan: Plan, run: Run) -> Applied:
        tally = run.tally
        if not tally.failed:
            self._stands, self._trusted, self._lost = plan.target.number, True, False
            self._doubted = frozenset()
            self._short.only(run.wanted.left)
            if not self._late:
                self._whole = self._stands
            self._standby.found_again = False
            if plan.survey:
                # A whole survey is dear: it is not done again after a crash.
                self.checkpoint()
            if plan.adopt:
                self._standby.adopted_whole()
                self._remembered.adopted(self._standby.open().displaced)
        self._remembered.keep()
        return Applied(
            self._whole, tally.done_entries, tally.done_bytes, tally.displaced, tally.failed, redo=not plan.trusted
        )

    # -- holds ---------------------------------------------------------------------------------------------------------

    @property
    def _stood(self) -> CommitNumber:
        """From where losses are judged: what the standby equals or, where that is not known any more, equalled when it was."""
        return self._stands or number_of(self._local.value(CHECKPOINT))

    def _check_holds(self, target: Commit) -> None:
        anew = not target.consistent and self._is_broken(self._stood)
        hold = None if anew else self._brake(target)
        if hold is not None:
            remedy = f"hikae accept {self._dataset} if it is meant"
            held = Held(PROBLEM_CODES[hold.code], self._dataset, hold.sentence, remedy)
            self._holds.stand(held)
            raise held
        if not target.consistent and self._standby.adopting:
            reason = "what stands in the adopted tree is kept as it is until the primary has been through"
            waits = Held(ADOPT_WAITS, self._dataset, reason, "it goes on by itself", waits=True)
            self._holds.stand(waits, Severity.INFO)
            raise waits
        if anew:
            reason = (
                f"the primary started anew and is not through yet; the standby stays at {shown_commit(self._stood)}"
            )
            waits = Held(LINEAGE_WAITS, self._dataset, reason, "it goes on by itself")
            self._holds.stand(waits, Severity.INFO)
            raise waits
        self._holds.clear()

    def _brake(self, target: Commit) -> Hold | None:
        hold = self._emptied(target)
        if hold is None and (self._stood != NOTHING or not self._trusted):
            self._guard.limit(self.brake)
            hold = self._guard.judge(self._reader, target, Reached(self._stood, self._accepted, self._pinned))
            self._pin(self._guard.base if hold is not None else NOTHING)
        return hold

    def _emptied(self, target: Commit) -> Hold | None:
        if target.entries:
            return None
        if self._standby.adopting and self._accepted != target.number:
            return Hold(SOURCE_EMPTIED, "the primary is empty, and a tree stands here that is to be adopted")
        since = trailing_empty(commits_after(self._reader, self._stood))
        return judge(counts_at(self._reader, self._stood), target, since, self._accepted)

    def _pin(self, base: CommitNumber) -> None:
        """A hold stands from there, also after a restart, however much time goes by."""
        if base != self._pinned:
            self._local.set_value(_PINNED, packed((base,)), durable=True)
            self._pinned = base


def _late_step(run: Run) -> None:
    go_on(run)
    finish_touched(run)
    run.standing.ledger.flush()


def _count(report: VerifyReport) -> int:
    return len(report.differences) + report.more
