"""The applying thread: always from what the standby equals to the newest commit; there is no queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace

from agent.apply.applies import Applies, SlicedVerify
from agent.apply.brake.limits import ACCEPTABLE
from agent.apply.results import ApplyFacts, ApplyPhase, ApplyProgress, Held, Report, RootFull, VerifyReport, silent
from agent.apply.stopping import ApplyStopped
from agent.apply.verifying.queue import VerifyOrder, VerifyQueue
from agent.core.backoff import Backoff
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.errors import Damaged, HikaeError, Refused, StoreFailed
from agent.core.hold import Hold
from agent.core.ids import NOTHING, CommitNumber
from agent.core.problem import Problem, ProblemBoard, ProblemCode, Severity
from agent.core.problem_codes import APPLY_STOPPED, SEEDING_STOPPED, STANDBY_DISK_FULL

CHECKPOINT_SECONDS = 5.0
CHECKPOINT_COMMITS = 256
IDLE_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 1.0
LONGEST_BACKOFF = 30.0
WAITS_SECONDS = 0.5
#: So long may what runs take when the loop is to end; then it is given up, and done again at the next start.
GRACE = 5.0

_UPKEEP_AGAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ApplyCalls:
    """Who is called by the loop's thread, and must not block.

    ``published`` hears the number of the commit that stands applied whenever that is another one, also where it is an earlier one
    or none; ``rested`` that the loop has done what it had to do; ``broken`` an error of our own stores: they must be opened anew.
    ``upkeep`` does a little work beside the applying, unless it is paused; whether there is more."""

    published: Callable[[CommitNumber], None]
    rested: Callable[[], None]
    broken: Callable[[HikaeError], None]
    upkeep: Callable[[], bool]


class ApplyLoop:
    """One thread that owns an applier. All methods may be called by any thread."""

    def __init__(self, applier: Applies, board: ProblemBoard, clock: Clock, calls: ApplyCalls, *, name: str) -> None:
        self._applier = applier
        self._board = board
        self._clock = clock
        self._calls = calls
        self._more = self._poked = False
        self._upkeep_at = 0.0
        self._thread = threading.Thread(target=self._run, name=name)
        self._change = threading.Condition()
        self._newest: Commit | None = None
        #: Where it is to stay, whatever is newer.
        self._stays: Commit | None = None
        self._paused = False
        self._closing = False
        self._verifies = VerifyQueue(self._verification, clock.monotonic)
        self._facts = ApplyFacts(
            applied=applier.applied,
            stands=applier.stands,
            checkpoint=applier.checkpointed_at,
            doubted=applier.redoes,
        )
        self._retry_at = 0.0
        self._backoff = Backoff(LOOK_AGAIN_SECONDS, LONGEST_BACKOFF)
        self._since_checkpoint = 0
        self._checkpoint_at = clock.monotonic()
        self._told = NOTHING
        self._came = applier.is_short

    def start(self) -> None:
        """Begin; the standby is prepared at once, even before there is a commit."""
        self._thread.start()

    def notify(self, commit: Commit) -> None:
        """A newer commit is sealed."""
        with self._change:
            if self._newest is None or commit.number > self._newest.number:
                self._newest = commit
                self._facts = replace(self._facts, target=commit.number)
                self._change.notify_all()

    def pause(self) -> None:
        """Begin no further converge; one that runs is finished."""
        with self._change:
            self._paused = True
            self._change.notify_all()

    def resume(self) -> None:
        """Go on."""
        with self._change:
            self._paused = False
            self._wake()

    def resume_if_paused(self) -> None:
        """Go on, unless it does already: what is backed off from stays so."""
        with self._change:
            if self._paused:
                self._paused = False
                self._wake()

    def stay_at(self, commit: Commit | None) -> None:
        """Bring the standby to a commit that can be read, and leave it there, also while paused; None: it goes on."""
        with self._change:
            self._stays = commit
            self._wake()

    def let_pass(self, number: CommitNumber) -> None:
        """The standby equalled this commit before: up to there no hold is looked for."""
        self._applier.holds.let_pass(number)

    def accept(self) -> CommitNumber:
        """Let the commit pass that is held now; its number. Raises ``Refused`` when nothing that can be accepted is held."""
        with self._change:
            if self._newest is None or not self._braked():
                raise Refused("accept", "", "nothing is held", "hikae status shows what the dataset waits for")
            self._applier.accept(self._newest.number)
            for code in ACCEPTABLE:
                self._board.clear(code)
            self._facts = replace(self._facts, hold=None)
            self._wake()
            return self._newest.number

    def poke(self) -> None:
        """There is work for ``upkeep``."""
        with self._change:
            self._poked = True
            self._change.notify_all()

    def came(self) -> None:
        """Content that was owed is here: the newest commit is looked at once more."""
        with self._change:
            self._came = True
            self._change.notify_all()

    def retry(self) -> None:
        """Look again now, whatever is waited for (a disk was freed, a directory emptied)."""
        with self._change:
            self._wake()

    def verify(
        self, *, deep: bool, progress: Report, repair: bool = False, waits: Callable[[], None] | None = None
    ) -> VerifyReport:
        """Compare the standby with the catalog, in slices between converges, and ``repair`` it. Waits for the end; ``waits`` is
        called each half second until the comparing begins, and what it raises calls the verify off.

        Raises ``Held``, ``Refused`` when the loop ends."""
        future = self.begin_verify(VerifyOrder(deep, repair, False, progress))
        try:
            while not wait([future], WAITS_SECONDS).done and not future.running():
                if waits is not None:
                    waits()
        except BaseException:
            future.cancel()
            raise
        return future.result()

    def begin_verify(self, order: VerifyOrder) -> Future[VerifyReport]:
        """As :meth:`verify`, without waiting. Raises ``Refused`` when the loop ends."""
        with self._change:
            if self._closing:
                raise Refused("verify", "", "the agent is stopping")
            self._verifies.add(order)
            self._change.notify_all()
        return order.outcome

    def verify_progress(self) -> ApplyProgress | None:
        """How far a verify is that is under way; None without one."""
        return self._verifies.progress

    def facts(self) -> ApplyFacts:
        """The state now."""
        with self._change:
            return self._facts

    def wait_for(self, what: Callable[[ApplyFacts], bool], timeout: float | None = None) -> bool:
        """Wait until ``what`` holds of the facts; False on timeout, or when the loop ended before."""
        with self._change:
            self._change.wait_for(lambda: self._closing or what(self._facts), timeout)
            return what(self._facts)

    def wait_applied(self, number: CommitNumber, timeout: float | None = None) -> bool:
        """Wait until a commit is applied; False on timeout, or when the loop ended before."""
        return self.wait_for(lambda facts: facts.applied >= number, timeout)

    def leave(self, grace: float = GRACE) -> None:
        """End after the converge or verify that runs, if it takes no longer than ``grace`` seconds. Does not wait."""
        self._applier.ending.begin(grace)
        with self._change:
            self._closing = True
            self._change.notify_all()

    def close(self) -> None:
        """:meth:`leave`, with a checkpoint where a converge came to its end; waits. Safe to call twice."""
        self.leave()
        if self._thread.ident is not None:
            self._thread.join()

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._first_look()
            while True:
                with self._change:
                    self._change.wait_for(self._has_work, self._patience())
                    if self._closing:
                        break
                    target, self._poked = self._due(), False
                self._turn(target)
                self._keep_up()
                self._verifies.turn()
                self._calls.rested()
        finally:
            self._end()

    def _first_look(self) -> None:
        """Nothing is said to be applied before the standby was looked at."""
        try:
            self._applier.prepare()
        except HikaeError:
            return  # the first turn says it
        self._tell_what_stands()

    def _tell_what_stands(self) -> None:
        """Tell which commit stands applied, where another was told: the standby may be gone, of another time, or not synced."""
        applied = self._applier.applied
        self._say(applied=applied, stands=self._applier.stands)
        if (there := NOTHING if self._applier.is_away else applied) != self._told:
            self._tell(there)

    def _wake(self) -> None:
        self._retry_at = 0.0
        self._backoff.succeeded()
        self._change.notify_all()

    def _has_work(self) -> bool:
        return self._closing or self._poked or self._verifies.seconds_left() == 0.0 or self._due() is not None

    def _due(self) -> Commit | None:
        """The commit to converge to now. Called with the condition held."""
        newest, stays = self._newest, self._stays
        if stays is not None:
            is_due = self._facts.applied != stays.number and self._clock.monotonic() >= self._retry_at
            return stays if is_due else None
        if newest is None or self._paused or (newest.number <= self._facts.applied and not self._came):
            return None
        return newest if self._clock.monotonic() >= self._retry_at else None

    def _patience(self) -> float:
        """How long to wait for work before looking around, seconds."""
        if self._more and not self._paused:
            return 0.0
        left = self._retry_at - self._clock.monotonic()
        slice_in = self._verifies.seconds_left()
        return min(IDLE_SECONDS, left if left > 0 else IDLE_SECONDS, IDLE_SECONDS if slice_in is None else slice_in)

    def _turn(self, target: Commit | None) -> None:
        try:
            if target is not None:
                self._converge(target)
                self._checkpoint_if_due()
            else:
                self._idle()
        except Held as held:
            if held.waits:
                self._wait(LOOK_AGAIN_SECONDS, ApplyPhase.IDLE)
            else:
                self._wait(LOOK_AGAIN_SECONDS, ApplyPhase.HELD, hold=held.hold)
        except ApplyStopped:
            return
        except RootFull as full:
            self._complain(STANDBY_DISK_FULL, full)
            self._back_off(ApplyPhase.FULL, full)
        except HikaeError as error:
            self._complain(APPLY_STOPPED, error)
            self._back_off(ApplyPhase.IDLE, error)
            if isinstance(error, StoreFailed | Damaged):
                self._calls.broken(error)
        else:
            return
        self._tell_what_stands()

    def _keep_up(self) -> None:
        """A step of the work beside; what fails alone is tried again after a while."""
        with self._change:
            if self._paused or self._closing or self._clock.monotonic() < self._upkeep_at:
                self._more = False
                return
        try:
            self._more = self._calls.upkeep()
            self._board.clear(SEEDING_STOPPED)
        except HikaeError as error:
            self._more = False
            self._upkeep_at = self._clock.monotonic() + _UPKEEP_AGAIN_SECONDS
            if isinstance(error, StoreFailed | Damaged):
                self._calls.broken(error)
            else:
                self._complain(SEEDING_STOPPED, error)

    def _converge(self, target: Commit) -> None:
        self._say(phase=ApplyPhase.REDO if self._applier.redoes else ApplyPhase.CONVERGE, progress=ApplyProgress())
        stood = self._applier.stands
        came, self._came = self._came, False
        try:
            done = self._applier.converge(
                target, lambda progress: self._say(progress=progress), self._is_wanted, unheld=target is self._stays
            )
        except HikaeError:
            self._came = self._came or came
            raise
        self._say(applied=self._applier.applied, stands=self._applier.stands)
        if done.failed:
            self._came = self._came or came
            self._back_off(ApplyPhase.IDLE, None, f"{done.failed:,} objects could not be made as wanted")
            return
        self._well()
        self._since_checkpoint += self._applier.stands != stood
        unfinished = self._applier.unfinished
        self._say(phase=ApplyPhase.CONVERGE if unfinished else ApplyPhase.IDLE, hold=None, problem="")
        if not unfinished:
            self._tell(done.number)

    def _is_wanted(self) -> bool:
        """Whether something waits for the applier that a large file must not delay."""
        with self._change:
            newest = self._newest
            waits = newest is not None and newest.number > self._applier.stands and not self._paused
            waits = waits and self._stays is None
            return self._closing or self._poked or waits

    def _well(self) -> None:
        self._retry_at = 0.0
        self._backoff.succeeded()
        self._board.clear(STANDBY_DISK_FULL)
        self._board.clear(APPLY_STOPPED)

    def _idle(self) -> None:
        with self._change:
            paused, waiting = self._paused, self._clock.monotonic() < self._retry_at
        if waiting:
            return
        # Also with nothing to apply it is told within a second that the standby was unmounted.
        self._applier.prepare()
        if self._finish():
            return
        # What it holds is looked at again at the next converge: a verify may have gone past the time of that.
        hold = self.facts().hold if self._braked() else None
        self._say(phase=ApplyPhase.PAUSED if paused else ApplyPhase.IDLE, hold=hold)
        if not self._applier.checkpointed:
            self._checkpoint()
        # It may have become equal in a turn that an error of our own stores ended.
        self._tell_what_stands()
        self._applier.rest()
        self._board.clear(APPLY_STOPPED)

    def _finish(self) -> bool:
        """Paused between two commits, it still makes the first one whole; whether there was something to do."""
        if not self._applier.unfinished:
            return False
        done = self._applier.finish(silent, interrupted=self._is_wanted)
        self._say(applied=done.number)
        if done.failed:
            self._back_off(ApplyPhase.IDLE, None, f"{done.failed:,} objects could not be made as wanted")
        elif done.number == self._applier.stands:
            self._tell(done.number)
        return True

    def _tell(self, number: CommitNumber) -> None:
        self._told = number
        self._calls.published(number)

    def _braked(self) -> bool:
        """Whether there is something that an operator can accept."""
        return any(self._board.has(code) for code in ACCEPTABLE)

    def _checkpoint_if_due(self) -> None:
        late = self._clock.monotonic() - self._checkpoint_at >= CHECKPOINT_SECONDS
        if late or self._since_checkpoint >= CHECKPOINT_COMMITS:
            self._checkpoint()

    def _checkpoint(self) -> None:
        try:
            self._applier.checkpoint()
        finally:
            self._since_checkpoint = 0
            self._checkpoint_at = self._clock.monotonic()
            self._say(
                applied=self._applier.applied,
                stands=self._applier.stands,
                checkpoint=self._applier.checkpointed_at,
            )

    def _verification(self, order: VerifyOrder) -> SlicedVerify:
        return self._applier.verification(deep=order.deep, progress=order.progress, repair=order.repair)

    def _back_off(self, phase: ApplyPhase, error: HikaeError | None, reason: str = "") -> None:
        self._wait(self._backoff.next_wait(), phase, problem=reason or (error.reason if error else ""))

    def _wait(self, seconds: float, phase: ApplyPhase, *, hold: Hold | None = None, problem: str = "") -> None:
        with self._change:
            self._retry_at = self._clock.monotonic() + seconds
        self._say(phase=phase, hold=hold, problem=problem, applied=self._applier.applied)

    def _complain(self, code: ProblemCode, error: HikaeError) -> None:
        self._board.put(Problem(code, Severity.ERROR, self._clock.now_ns(), b"", error.reason, error.remedy))

    def _say(self, **changes: object) -> None:
        with self._change:
            changes["doubted"] = self._applier.redoes
            self._facts = replace(self._facts, **changes)  # type: ignore[arg-type]  # names and types as in ApplyFacts
            self._change.notify_all()

    def _end(self) -> None:
        with self._change:
            self._closing = True
            self._change.notify_all()
        self._verifies.end()
        try:
            self._applier.close()
        except HikaeError as error:
            self._complain(APPLY_STOPPED, error)
