"""One commit of a device: rounds while it is written, the moment, what was read of it, and who is answered."""

from __future__ import annotations

import bisect
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace

from agent.capture.access.image import LockedMemory
from agent.capture.access.standstill import Standstill, StoodAt
from agent.capture.access.together import NotTogether
from agent.capture.committer import Committer
from agent.capture.device.moment import OpenedRoots, StandingStill, StillMoment, opened_roots
from agent.capture.device.opened import DeviceLost
from agent.capture.device.opening import DeviceOpening
from agent.capture.device.requests import DeviceRequests
from agent.capture.device.rhythm import NextStep, Rhythm
from agent.capture.device.runs import Run, bytes_of, chunk_runs, extents_of, united, without
from agent.capture.device.session import DeviceSession
from agent.capture.outlet import Outlet
from agent.capture.ports import CaptureContext
from agent.capture.tickets import Ticket
from agent.core.commit import ORDINARY, Provenance, Quiesced
from agent.core.errors import HikaeError, NotPermitted, TryAgain
from agent.core.ids import NOTHING, CommitNumber
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import DEVICE_BUSY, NOT_STILL
from agent.fs.durable import sync_filesystem
from agent.watch.blocks.ports import Dirtied

#: Seconds until a freeze that was refused is tried again.
_AGAIN = 1.0
#: What has to be read whole each time is read whole so often for one commit, and rests so many times as long afterwards.
_LOOKS, _REST = 2, 10.0
#: The kind of tracker that tells where something was written.
_TELLS_WHERE = "blocktrace"
_MORE = "more was written than can be read while it stands still"


@dataclass(frozen=True, slots=True)
class MadeCommit:
    """What came of it. ``number``: the newest commit, None where there was to be none; ``doubt``: everything has to be read
    first; ``wait``: seconds until the next is due, ``refused``: whoever waits for it; ``owed_since``: from when on something may
    have been written that it has not (monotonic seconds), None where its moment has all."""

    number: CommitNumber | None
    wait: float
    consistent: bool = False
    doubt: bool = False
    refused: bool = False
    owed_since: float | None = None


class Committing:
    """Makes the commits of one device, one after another. Belongs to the pump's thread, but for :meth:`woken`, ``dirty_since``,
    ``is_refused``, ``is_behind`` and ``left_bytes``: what was taken from the tracker and is still to be read."""

    def __init__(
        self,
        context: CaptureContext,
        opening: DeviceOpening,
        committer: Committer,
        requests: DeviceRequests,
        outlet: Outlet,
    ) -> None:
        self.left_bytes = 0
        self._has_read = False
        self.rhythm = Rhythm.begin(opening.terms().rpo, opening.terms().freeze, opening.limits)
        self._context = context
        self._clock = context.clock
        self._opening = opening
        self._committer = committer
        self._requests = requests
        self._outlet = outlet
        #: Who waits for what was looked at.
        self.ready: list[Ticket] = []
        #: From when on something may wait for the next commit, and for the one in hand (monotonic seconds).
        self._since: float | None = None
        self._since_in_hand: float | None = None
        self._owed: list[Run] = []
        #: What the commit in hand has still to read.
        self._in_hand: list[Run] = []
        self._owes = False
        #: Looks at everything since the tracker last told where.
        self._looks, self._look_took, self._look_began = 0, 0.0, 0.0
        self._unfrozen: set[str] = set()
        #: Where filesystems are mounted to which no path leads.
        self._unreached: Sequence[str] = ()
        self._retry_at = 0.0
        #: The bad place that was tried last.
        self._retried = 0
        #: Since the last commit a freeze was refused: what it was to read may take long.
        self._was_refused = False

    def woken(self) -> None:
        """Something became dirty, or may from now on without a word; any thread."""
        if self._since is None:
            self._since = self._clock.monotonic()
        self._requests.wake()

    @property
    def dirty_since(self) -> float | None:
        """The moment (monotonic seconds) from which on something may be in no commit; None while nothing is. Any thread."""
        in_hand = self._since_in_hand
        return self._since if in_hand is None else in_hand

    @property
    def is_refused(self) -> bool:
        """Whether nothing is committed since a freeze was refused: what waits then waits for that alone. Any thread."""
        return self._was_refused

    @property
    def is_behind(self) -> bool:
        """Whether it is written faster than can be committed; while a freeze is refused nobody knows. Any thread."""
        return self.rhythm.is_behind and not self._was_refused

    @property
    def is_owed(self) -> bool:
        """Whether a commit is owed without anything becoming dirty."""
        return self._owes

    @property
    def goes_on(self) -> bool:
        """Whether it goes on even while no commit is wanted: somebody waits for it, or its moment is over and only has to be
        written."""
        return self._has_read or bool(self.ready)

    def owe(self, session: DeviceSession, told: Dirtied) -> None:
        """A commit is owed, of what the tracker told."""
        self._owes = True
        self._owed = united(self._owed, chunk_runs(told.extents, session.device.size))
        self.left_bytes = bytes_of(self._owed)

    def left(self, session: DeviceSession) -> Dirtied:
        """At an end in the middle of whatever: what was taken from the tracker, and is in no commit."""
        gathered = [(number, number) for number in session.batch.rows_by_number]
        return Dirtied(extents_of(united(united(self._owed, self._in_hand), gathered)), None)

    def looked(self, tickets: list[Ticket], took: float) -> None:
        """Everything was looked at, within so many seconds: what differs is to be committed, and who waited is answered then."""
        self.ready += tickets
        self._owes = True
        self._looks, self._look_took, self._look_began = self._looks + 1, took, self._clock.monotonic() - took

    def run(self, session: DeviceSession) -> Generator[None, None, MadeCommit]:
        """Make one commit, in steps of about ten milliseconds."""
        terms, began = self._opening.terms(), self._clock.monotonic()
        self.rhythm = replace(self.rhythm, rpo=terms.rpo, freeze=terms.freeze)
        made = yield from self._since_kept(self._made(session))
        took = self._clock.monotonic() - began
        self.rhythm = replace(self.rhythm, took=took)
        self._tell_behind()
        return made if made.doubt else replace(made, wait=made.wait or max(0.0, self.rhythm.interval - took))

    def _since_kept(self, making: Generator[None, None, MadeCommit]) -> Generator[None, None, MadeCommit]:
        """What waits goes on waiting until it is committed, whatever comes of this try."""
        self._since_in_hand, self._since = self._since, None
        is_made, waits = False, None
        try:
            made = yield from making
            is_made = made.number is not None
            waits = made.owed_since
            return made
        finally:
            if not is_made:
                waits = self._since_in_hand
            if waits is not None:
                self._waits_since(waits)
            self._since_in_hand = None

    def _waits_since(self, then: float) -> None:
        """Something may be in no commit since then."""
        self._since = then if self._since is None else min(then, self._since)

    def flush(self, session: DeviceSession) -> None:
        """What is to be read stands on the device: what is written back now need not be while it is frozen."""
        with suppress(OSError):
            session.device.flush()
        with suppress(OSError, TryAgain), self._roots() as opened:
            self._unreached = opened.unreached
            for fd, _ in opened.roots:
                sync_filesystem(fd)

    def _roots(self) -> AbstractContextManager[OpenedRoots]:
        """Open for as long as need be: what is open cannot be unmounted. Raises ``TryAgain`` where nobody can say what is."""
        path = self._opening.path
        try:
            return opened_roots(self._opening.filesystems(path), self._opening.swaps(path))
        except OSError as error:
            reason = f"what is mounted cannot be seen: {error.strerror or error}"
            raise TryAgain("freeze what stands on the device", path, reason, "see the kernel log (dmesg)") from error

    def _made(self, session: DeviceSession) -> Generator[None, None, MadeCommit]:
        numbers = self._requests.take_dirty() | self._bad_places(session)
        self.flush(session)
        # Whatever comes of the rest, these were read; what is written to them from now on is told.
        yield from session.read_beside(sorted(numbers), self._outlet)
        session.give_rest()
        told = session.tracker.take()
        if self._since_in_hand is None and (told.extents or self._owed):
            # It is taken before anybody was woken for it, since somebody asks for a commit.
            self._since_in_hand = self._clock.monotonic()
        if told.reconcile is not None:
            return self._untold(session, told, told.reconcile)
        rests = self._looks and session.tracker.kind != _TELLS_WHERE
        made = yield from self._rounds(session, united(self._owed, chunk_runs(told.extents, session.device.size)))
        if made.number is not None:
            self._looks = 0
        return self._rested(made) if rests and made.number is not None else made

    def is_bad_due(self, session: DeviceSession) -> bool:
        """Whether what could not be read is to be tried again."""
        return bool(session.unread) and self._clock.monotonic() >= self._retry_at

    def _bad_places(self, session: DeviceSession) -> set[int]:
        """Some of what could not be read, now and then, each in its turn: a disk may take long over each."""
        if not self.is_bad_due(session):
            return set()
        self._retry_at = self._clock.monotonic() + self.rhythm.limits.retry
        bad = sorted(session.unread)
        after = bisect.bisect_right(bad, self._retried)
        tried = (bad[after:] + bad[:after])[: self.rhythm.limits.retried]
        self._retried = tried[-1]
        return set(tried)

    def _untold(self, session: DeviceSession, told: Dirtied, why: str) -> MadeCommit:
        """Nothing tells where something was written, if anything was since all was looked at. What is written whenever all of it
        is read is committed as it was read: that is better than nothing; all of it stays owed, until a look that begins later."""
        asked = self._requests.take_standstill()
        if asked is not None and asked.together is not None:
            self._goes_alone(asked, f"nothing tells where it is written: {why}", [])
            asked = None
        if self._looks and not session.whole.has_moved():
            moment, tickets = StillMoment(Dirtied((), None)), self._waiting()
        elif self._looks < _LOOKS:
            return self._in_doubt()
        else:
            # Who asked since the look began is answered by the next.
            moment = StillMoment(Dirtied((), None), moving=f"it is written while it is read, and {why}")
            tickets, self.ready = self.ready, []
            session.tracker.restore(told)
        made = self._write(session, moment, tickets, asked)
        self._owes = not made.consistent
        return self._rested(replace(made, owed_since=None if made.consistent else self._look_began))

    def _rested(self, made: MadeCommit) -> MadeCommit:
        """Reading all of a device takes a tenth of the time at most."""
        self._looks = 1
        return replace(made, wait=max(self.rhythm.interval, _REST * self._look_took))

    # --- rounds

    def _rounds(self, session: DeviceSession, rest: list[Run]) -> Generator[None, None, MadeCommit]:
        """Rounds until the rest fits a freeze, then that. What a disk may take long over is read while nothing stands still."""
        rounds = looks = 0
        reads_first = self._was_refused or bool(without(rest, sorted(session.unread))[1])
        while True:
            self._in_hand = rest
            self.left_bytes = bytes_of(rest)
            step = NextStep.READ if reads_first else self.rhythm.after_round(rounds, self.left_bytes)
            reads_first = False
            if step is NextStep.LATER:
                if not self._stretched():
                    return self._later(rest)
                rounds = 0
            elif step is NextStep.FREEZE:
                looks += 1
                found = yield from self._standing_still(session, rest, is_last=looks >= self.rhythm.limits.looks)
                if isinstance(found, MadeCommit):
                    return found
                rest = found
                continue
            for _ in session.pass_over(rest, self._outlet):
                yield
            rounds += 1
            told = session.tracker.take()
            if told.reconcile is not None:
                return self._in_doubt()
            rest = chunk_runs(told.extents, session.device.size)
            self._cut(session)

    def _cut(self, session: DeviceSession) -> None:
        """More differs than is kept in memory: it is committed, and is no moment."""
        if session.batch.full:
            session.give_rest()
            self._committer.write(session.batch, consistent=False)

    def _stretched(self) -> bool:
        """Whether the next freeze may read for longer than this one."""
        before, self.rhythm = self.rhythm.fits, self.rhythm.not_fitting()
        return self.rhythm.fits > before

    def _in_doubt(self) -> MadeCommit:
        """All is read first, what is owed with it."""
        self._owed, self._in_hand, self._owes, self.left_bytes = [], [], False, 0
        return MadeCommit(None, 0.0, doubt=True)

    def _later(self, rest: list[Run]) -> MadeCommit:
        self._owed, self._owes = rest, True
        return MadeCommit(None, self.rhythm.interval)

    # --- the moment

    def _standing_still(
        self, session: DeviceSession, rest: list[Run], *, is_last: bool
    ) -> Generator[None, None, MadeCommit | list[Run]]:
        """The commit of a moment; or what is to be read first, since the moment was none. ``is_last``: what stands still at no
        look is committed as it is."""
        memory = LockedMemory(self.rhythm.fits)
        tickets, asked = self._waiting(), self._requests.take_standstill()
        moment, began = StillMoment(Dirtied((), None)), self._clock.monotonic()
        try:
            try:
                if asked is not None:
                    asked.meet()
                with self._roots() as opened:
                    moment = self._still(session, memory, asked).read(rest, opened)
            except NotTogether as error:
                return self._goes_alone(asked, error.reason, rest)
            except DeviceLost:
                raise
            except HikaeError as error:
                return self._refused(error, asked, rest)
            if moment.told.reconcile is not None:
                return self._in_doubt()
            if moment.left or (moment.moving is not None and not is_last):
                more = united(rest, chunk_runs(moment.told.extents, session.device.size))
                return self._goes_alone(asked, moment.moving or _MORE, more)
            self._has_read = True
            session.take_in(moment.pieces, moment.unread)
            session.give_rest()
            yield
            made = self._write(session, moment, tickets, asked)
            tickets = []
            return made if made.consistent else replace(made, owed_since=began)
        finally:
            self._has_read = False
            self.ready = tickets
            for _, view in moment.pieces:
                view.release()
            memory.close()

    def _waiting(self) -> list[Ticket]:
        """Who is answered by a moment that comes now."""
        ready, self.ready = self.ready, []
        return [*ready, *self._requests.take_tickets()]

    def _goes_alone(self, asked: Standstill | None, why: str, rest: list[Run]) -> list[Run]:
        """A moment of a group that was none is over: the others do not wait for the next look. What is to be read by then."""
        if asked is not None and asked.together is not None:
            asked.tried += 1
            asked.again(why)
        return rest

    def _still(self, session: DeviceSession, memory: LockedMemory, asked: Standstill | None) -> StandingStill:
        fits, deadline = self.rhythm.fits, self.rhythm.limits.deadline
        together, bad = asked.together if asked is not None else None, sorted(session.unread)
        freezing = together or self._opening.freezing
        found = StandingStill(session.device, session.tracker, freezing, memory, fits, deadline, self._unfrozen, bad)
        return replace(found, is_joint=together is not None)

    def _refused(self, error: HikaeError, asked: Standstill | None, rest: list[Run]) -> MadeCommit:
        """It is tried again, and said meanwhile; nothing is committed, since the last moment is worth more than none."""
        if asked is not None:
            asked.tried += 1
            asked.again(error.reason)
        self._owed, self._owes, self._was_refused = rest, True, True
        newest = self._context.catalog.newest()
        first = newest is None or not newest.consistent
        copied = "the first copy is of no one moment, and cannot be promoted"
        means = copied if first else "nothing more is committed"
        self._say_moving(f"{error.sentence}; until that works, {means}", error.remedy)
        # A privilege that is missing does not come within a second.
        wait = self.rhythm.limits.unpermitted if isinstance(error, NotPermitted) else _AGAIN
        return MadeCommit(None, wait, refused=True)

    # --- what is written

    def _write(
        self, session: DeviceSession, moment: StillMoment, tickets: list[Ticket], asked: Standstill | None
    ) -> MadeCommit:
        """The commit, which is durable then, and an answer for all who waited for it."""
        consistent, batch = moment.moving is None, session.batch
        if batch.rows and self._since_in_hand is not None:
            batch.waited(self._since_in_hand)
        read = sum(len(view) for _, view in moment.pieces)
        self.rhythm = self.rhythm.read(read, moment.reading).committed(moment.stood)
        made = Provenance(reached=asked.reached if asked is not None else Quiesced.CRASH) if consistent else ORDINARY
        newest = self._context.catalog.newest()
        if asked is None and not batch.rows and newest is not None and newest.consistent:
            made = ORDINARY
        commit = self._committer.write(batch, consistent, made) or self._context.catalog.newest()
        number = commit.number if commit is not None else NOTHING
        self._owed, self._in_hand, self._owes, self.left_bytes = [], [], False, 0
        self._was_refused = False
        for ticket in tickets:
            ticket.finish(self._marked(session, ticket, consistent=consistent) or number)
        if asked is not None and consistent:
            asked.finish(StoodAt(number, moment.stood))
        elif asked is not None:
            asked.tried += 1
            asked.again(moment.moving or "")
        if consistent and self._unreached:
            self._say_unreached(session.device.path)
        elif consistent:
            self._context.board.clear(NOT_STILL)
        else:
            remedy = "stop what writes to it for a moment, or have a hook do so (before_freeze, with quiesce)"
            self._say_moving(f"{session.device.path} did not stand still: {moment.moving}", remedy)
        return MadeCommit(number, 0.0, consistent)

    def _marked(self, session: DeviceSession, ticket: Ticket, *, consistent: bool) -> CommitNumber:
        """The commit of its own that a ticket asks for; ``NOTHING``: it asks for none."""
        if ticket.made is ORDINARY:
            return NOTHING
        reached = max(ticket.made.reached, Quiesced.CRASH) if consistent else ticket.made.reached
        commit = self._committer.write(session.batch, consistent, replace(ticket.made, reached=reached))
        return commit.number if commit is not None else NOTHING

    def _say_unreached(self, path: str) -> None:
        points = ", ".join(self._unreached)
        counts = "what its system has in memory is in no commit, and one counts only where nothing was written while it was read"
        sentence = (
            f"{path} is mounted at {points}, where something else is mounted over it: nothing there is frozen; {counts}"
        )
        self._say_moving(sentence, f"mount it at another place too, or unmount what lies over {points}")

    def _say_moving(self, sentence: str, remedy: str) -> None:
        now = self._clock.now_ns()
        self._context.board.put(Problem(NOT_STILL, Severity.WARNING, now, b"", sentence, remedy))

    def _tell_behind(self) -> None:
        rhythm = self.rhythm
        if not self.is_behind:
            self._context.board.clear(DEVICE_BUSY)
            return
        why = f"it stands still for {rhythm.stood * 1000:,.0f} ms at a commit, and its rounds take {rhythm.took:.1f} s"
        if rhythm.stretch > 1:
            why = (
                f"more is written than {rhythm.rate / 1e6:,.0f} MB/s can read within {rhythm.freeze * 1000:,.0f} ms: it "
                f"is read for up to {rhythm.reads_for * 1000:,.0f} ms while it stands still"
            )
        message = f"{why}; it is committed every {rhythm.interval:.1f} s"
        remedy = "allow more in [dataset.device] (rpo, freeze), or write less"
        self._context.board.put(Problem(DEVICE_BUSY, Severity.WARNING, self._clock.now_ns(), b"", message, remedy))
