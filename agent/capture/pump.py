"""The thread that drives capture: hints first, then a little of the bulk, then it waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial

from agent.capture.access.image import LockedMemory
from agent.capture.access.kept_moment import KeptMoment, kept_moment
from agent.capture.access.standstill import (
    OF_A_SNAPSHOT,
    Standstill,
    StandstillLimits,
    StoodAt,
    freeze_and_read,
    looked_over,
)
from agent.capture.committer import Committer
from agent.capture.facts import CapturePhase, PumpFacts, SyncProgress
from agent.capture.inbox import Inbox
from agent.capture.keeper import SessionKeeper
from agent.capture.outlet import Outlet
from agent.capture.ports import CaptureContext, FrozenSession, Session, SessionFacts, Sessions
from agent.capture.pumping.pruning import Pruning
from agent.capture.pumping.thread import PumpCalls, PumpThread
from agent.capture.tickets import Barrier, Ticket
from agent.chunking.cutter import require_native
from agent.core.commit import ORDINARY, Provenance, Quiesced
from agent.core.errors import TryAgain
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.problem_codes import CAPTURE_FAILED
from agent.fs.snapshots.subvolume import CannotSnapshot, SnapshotFailed
from agent.fs.thaw_guard import Freezing
from agent.store.doubt import doubt_what_may_be_older
from agent.watch.hint import Hint, Look
from agent.watch.settle import GIVEN_BACK, Settle

#: Directories stay open so long, in seconds, after the last thing that happened.
LET_GO = 10.0

#: So many hints are looked at before the bulk gets a turn again.
_HINTS_AT_ONCE = 512
#: The root is looked at at least so often, in seconds.
_IDLE = 1.0
_NO_ROOM = 0.01
_NO_SESSION = SessionFacts()


class Pump(PumpThread):
    """Captures one tree. Constructing does nothing; ``start`` begins, ``stop`` ends and may be called from any thread."""

    def __init__(
        self, context: CaptureContext, settle: Settle, sessions: Sessions, outlet: Outlet, calls: PumpCalls
    ) -> None:
        self._inbox = Inbox(settle, context.clock)
        super().__init__(context, calls, self._inbox)
        self._outlet = outlet
        self._pruning = Pruning(context.catalog, context.local, calls.horizons, context.clock)
        self._committer = Committer(context, outlet, self._stopping, calls.require_room)
        self._keeper = SessionKeeper(context, sessions, self._committer.send_ahead)
        self._busy_at = context.clock.monotonic()

    # --- from any thread

    def start(self) -> None:
        """Begin. Raises ``ConfigError`` when the cutter's compiled part is missing."""
        require_native()
        super().start()

    def hint(self, hints: Sequence[Hint]) -> None:
        """Take hints in, as the watcher's sink: what they point at may have changed."""
        self._inbox.hint(hints)

    def barrier(self, made: Provenance = ORDINARY) -> Barrier:
        """A barrier covers everything that system calls wrote before this call. ``made``: what is to be told of the commit that
        it ends with; where that is not ordinary, it has one of its own."""
        return Barrier(self._calls.set_barrier, partial(self._covering, made))

    def look(self, hints: Sequence[Hint]) -> Ticket:
        """The ticket is done when what these point at is committed: whoever asks waits for no walk that goes on."""
        ticket = Ticket("look again")
        self._inbox.ask_for_look(ticket, hints)
        return ticket

    def take_in(self, paths: Sequence[bytes], objects: Sequence[ObjectId] = ()) -> Ticket:
        """What this process wrote into the tree itself is captured: what stands at these paths now, and these objects, wherever
        they are; the ticket is done when that is committed.

        The watch ignores what its own process does, since an applier may write on the same filesystem. Whoever writes on a
        primary (a rollback, a restore into the living tree) says so here, once it wrote, some thousands at a time. Wrongly told
        costs a look; what stands there is the truth either way."""
        ticket = Ticket("take in what was written")
        self._inbox.ask_for_written(ticket, [Hint(path, Look.ENTRY) for path in paths], objects)
        return ticket

    def snapshot(
        self, path: str, limits: StandstillLimits = OF_A_SNAPSHOT, reached: Quiesced = Quiesced.CRASH
    ) -> Standstill:
        """As ``stand_still``, of a moment that the filesystem keeps as a snapshot; nobody stands still."""
        asked = Standstill(None, path, self._calls.set_barrier, limits, reached)
        self._inbox.ask_for_standstill(asked)
        return asked

    def try_again(self) -> None:
        """Look at what somebody holds shut; to be called now and then."""
        session = self._keeper.session
        paths = session.to_try() if session is not None else []
        if paths:
            self.hint([Hint(path, Look.ENTRY) for path in paths])

    def cannot_read(self, path: bytes) -> bool:
        """Whether what stands at this path could not be read when it was looked at last."""
        session = self._keeper.session
        return session is not None and session.cannot_read(path)

    def undisturbed(self) -> AbstractContextManager[None]:
        """See ``Captures``: a tree stands still only where somebody asks for that."""
        return nullcontext()

    def facts(self) -> PumpFacts:
        """How it goes."""
        session = self._keeper.session
        found = session.facts() if session is not None else _NO_SESSION
        return PumpFacts(
            phase=self._phase,
            hold=self._keeper.hold,
            doubt=self._inbox.in_doubt,
            by_event=self._by_event,
            by_reconcile=self._by_reconcile,
            last_reconcile=self._last_reconcile,
            sync=self._progress(found),
            reading=found.reading,
            fuzzy=self._committer.fuzzy,
            hints=self._inbox.hints(),
            large_waiting=found.large_waiting,
            put_off=found.put_off,
            waits=found.waits,
            ahead=found.ahead,
            commits=self._committer.commits,
        )

    def hinted(self, most: int) -> list[tuple[bytes, float]]:
        """Paths of hints that wait to be looked at, at most so many, and since when (monotonic seconds)."""
        return self._inbox.waiting(most)

    def unread(self, most: int) -> Sequence[tuple[ObjectId, bytes, int]]:
        """Names of files that wait to be read for long; see ``Session.waiting``."""
        session = self._keeper.session
        return session.waiting(most) if session is not None else ()

    def _covering(self, made: Provenance) -> Ticket:
        ticket = Ticket("barrier", made)
        self._inbox.ask_for_told(ticket)
        return ticket

    def _progress(self, found: SessionFacts) -> SyncProgress | None:
        if not found.has_whole:
            return None
        newest = self._catalog.newest()
        entries, size = found.goes_over or (0, 0)
        if newest is None or self._first_sync:
            return SyncProgress(entries, size, *(found.counted or (None, None)))
        if found.goes_over is None:
            return None
        return SyncProgress(entries, size, max(newest.entries, entries), max(newest.bytes, size))

    # --- the thread

    def _begin(self) -> None:
        doubt_what_may_be_older(self._context.local, self._catalog)
        self._context.local.known.begin()

    def _end(self) -> None:
        self._inbox.cancel_all()
        self._keeper.close()

    def _turn(self) -> None:
        session = self._standing_session()
        if session is None:
            self._inbox.rest(_IDLE, held=True)
            return
        if self._inbox.begin_walks(session) and self._phase is CapturePhase.LIVE:
            self._phase = CapturePhase.RECONCILE
        self._inbox.begin_written(session)
        session.link_has(self._outlet.room())
        hints, session.hurry = self._inbox.ready(_HINTS_AT_ONCE)
        if hints:
            self._live(session, hints)
        if session.is_busy():
            self._take_turn(session, bool(hints))
        elif self._inbox.standstill is not None and self._may_stand_still(self._inbox.standstill):
            self._stand_still(session, self._inbox.standstill)
        elif not hints:
            self._idle(session)
            return
        self._busy_at = self._clock.monotonic()

    def _standing_session(self) -> Session | None:
        """The session, if its root stands; opens it when it is back."""
        keeper = self._keeper
        if not self._inbox.is_accepted() and keeper.is_standing():
            return keeper.session
        session = keeper.open(accepted=self._inbox.take_accepted(), is_first=self._first_sync)
        if session is None:
            self._phase = CapturePhase.HELD
            return None
        self._inbox.restart()
        self._begin_doubt(session)
        return session

    def _take_turn(self, session: Session, has_hints: bool) -> None:
        """A turn of the background, if the peers have room for what it finds."""
        has_room = self._outlet.has_room(0.0 if has_hints else _NO_ROOM)
        if self._first_sync:
            session.count(waits=not has_room)
        if has_room:
            self._bulk(session)

    def _idle(self, session: Session) -> None:
        """Nothing is to be done: what was gathered is committed, then there is time for what is not urgent."""
        if self._has_news(session) and not self._commit(session, drained=True):
            self._begin_doubt(session)
        elif not self._inbox.in_doubt:
            session.rests((self._committer.commits, self._last_reconcile))
        self._pruning.turn()
        if self._clock.monotonic() - self._busy_at > LET_GO:
            session.let_go()
            # What was learned of the last changes waits for no others.
            with suppress(TryAgain):
                self._context.local.keep()
        self._inbox.rest(session.longest_rest(_IDLE), held=False)

    def _has_news(self, session: Session) -> bool:
        """Whether a commit now would write anything, or tell anybody; after most turns nothing is left for it."""
        return self._inbox.has_anybody() or not session.is_fresh() or not self._committer.has_told_all()

    # --- what is to be done

    def _begin_doubt(self, session: Session) -> None:
        """Changes may have been missed: nothing is consistent until a whole walk and every hint from before its end are in."""
        self._inbox.begin_doubt(session.look_at_everything())
        self._phase = CapturePhase.FIRST_SYNC if self._first_sync else CapturePhase.RECONCILE

    def _live(self, session: Session, hints: list[Hint]) -> None:
        """Look at hints and commit what they show. What of it was forgotten is given back before anybody is told anything."""
        before = session.batch.changed
        session.hints_taken()
        for hint in hints:
            if not self._look(session, hint):
                self._inbox.give_back(hints)
                hints = []
        if session.batch.changed == before and not self._inbox.covers_anybody(session):
            # Nothing of ours: what a walk has gathered so far is not cut off for it.
            return
        if not self._commit(session, drained=True):
            self._inbox.give_back(hints)
            self._begin_doubt(session)

    def _look(self, session: Session, hint: Hint) -> bool:
        """Look at one hint; False when a batch on the way had to be forgotten, with what earlier looks and walks had put into it:
        from then on nothing is consistent, and nobody is answered, before all was looked at."""
        if not hint.path and hint.look is Look.SUBTREE:
            self._begin_doubt(session)
        batch = session.batch
        whole, before = True, batch.rows
        # What was given back belongs to what gave it back, and so does what it leads to.
        with session.outstanding.on_behalf(session.outstanding.owing if hint.age == GIVEN_BACK else ()):
            for _ in self._steps(session, hint):
                if batch.full:
                    self._by_event += batch.rows - before
                    before = 0
                    if not self._commit(session, drained=False):
                        whole = False
                        self._begin_doubt(session)
        self._by_event += max(0, batch.rows - before)
        return whole

    def _steps(self, session: Session, hint: Hint) -> Iterator[None]:
        self._inbox.look_again((yield from session.look(hint)))

    def _bulk(self, session: Session) -> None:
        """A turn of the walks and large files."""
        before = session.batch.rows
        turned = session.turn()
        self._inbox.look_again(turned.again)
        found = max(0, session.batch.rows - before)
        if turned.by_event:
            self._by_event += found
        elif not self._first_sync:
            self._by_reconcile += found
        if turned.whole_ended:
            self._last_reconcile = self._clock.now_ns()
        if turned.is_due and not self._commit(session, drained=True):
            self._begin_doubt(session)

    # --- a moment that stands still

    def _may_stand_still(self, asked: Standstill) -> bool:
        """Whether little enough is going on."""
        if asked.is_over:
            self._inbox.standstill = None
            return False
        few = not self._inbox.in_doubt and self._inbox.hints() <= asked.limits.hints
        return few and self._clock.monotonic() >= asked.due

    def _stand_still(self, session: Session, asked: Standstill) -> None:
        """Have a moment kept, and capture what it shows. On exit ``asked`` was answered, or it is to be tried again and every
        hint is back."""
        if not self._commit(session, drained=True):
            self._begin_doubt(session)
        elif asked.freezing is None:
            self._take_snapshot(session, asked)
        else:
            self._freeze(session, asked, asked.freezing)

    def _take_snapshot(self, session: Session, asked: Standstill) -> None:
        """A snapshot is made and captured. Every hint is back after it: some may tell of what came after the moment."""
        asked.tried += 1
        try:
            with kept_moment(session.root_fd, asked.path) as kept:
                self._capture_snapshot(session, asked, kept)
        except (SnapshotFailed, CannotSnapshot) as error:
            asked.refused(error)

    def _capture_snapshot(self, session: Session, asked: Standstill, kept: KeptMoment) -> None:
        if not asked.set_barrier()(asked.limits.drain):
            asked.again("the watcher did not tell in time what was written")
            return
        # The root's own times, too: nobody tells of it where our directory in it was made just now.
        hints = [Hint(b"", Look.ENTRY), *self._inbox.take_all()]
        try:
            frozen = session.over_snapshot(kept, asked.limits.image.bytes)
            self._capture_moment(session, asked, frozen, hints, kept.seconds)
        finally:
            self._inbox.give_back(hints)

    def _freeze(self, session: Session, asked: Standstill, freezing: Freezing) -> None:
        """Freeze, read, thaw; then capture over what was read."""
        memory = LockedMemory(asked.limits.image.bytes)
        try:
            image, hints, seconds = freeze_and_read(asked, freezing, session, memory, self._inbox.take_all)
            try:
                if image is None or not self._capture_moment(session, asked, session.over(image), hints, seconds):
                    self._inbox.give_back(hints)
            finally:
                if image is not None:
                    image.close()
        finally:
            memory.close()

    def _capture_moment(
        self, session: Session, asked: Standstill, frozen: FrozenSession, hints: Sequence[Hint], seconds: float
    ) -> bool:
        """Whether what stood there at the moment is in a commit."""
        try:
            why = looked_over(frozen, hints)
            frozen.session.batch_ended()
        finally:
            frozen.session.close()
        session.hints_taken()
        if why is not None:
            session.batch.forget()
            asked.again(why)
            return False
        made = self._committer.write(session.batch, True, Provenance(reached=asked.reached)) or self._catalog.newest()
        asked.finish(StoodAt(made.number if made is not None else NOTHING, seconds))
        return True

    # --- commits

    def _commit(self, session: Session, drained: bool) -> bool:
        """Commit the batch. ``drained``: no hint is in hand, so whoever waits may be covered by it.

        On exit the batch is empty: committed, with local facts and peers told, or (False) it could not be right and was
        forgotten."""
        settled = session.settle_batch()
        self._inbox.look_again(settled.again)
        right = settled.is_right and session.stands()
        session.batch_ended()
        if not right:
            session.batch.forget()
            return False
        covered = self._covered(session) if drained else []
        try:
            commit = self._committer.write(session.batch, consistent=not self._inbox.in_doubt) or self._catalog.newest()
            number = commit.number if commit is not None else NOTHING
            numbers = [self._marked(session, ticket) or number for ticket in covered]
        except BaseException:
            for ticket in covered:
                ticket.cancel("capture stopped")
            raise
        session.link_has(self._outlet.room())
        if session.take_healed():
            self._outlet.looked()
        for ticket, number in zip(covered, numbers, strict=True):
            ticket.finish(number)
        return True

    def _marked(self, session: Session, ticket: Ticket) -> CommitNumber:
        """The commit of its own that a ticket asks for; ``NOTHING``: it asks for none."""
        if ticket.made is ORDINARY:
            return NOTHING
        commit = self._committer.write(session.batch, consistent=not self._inbox.in_doubt, made=ticket.made)
        return commit.number if commit is not None else NOTHING

    def _covered(self, session: Session) -> list[Ticket]:
        """Who is covered by the batch in hand."""
        covered = self._inbox.take_covered(session)
        if not self._inbox.in_doubt:
            self._first_sync = False
            if not session.walks.goes_on():
                self._phase = CapturePhase.LIVE
                self._context.board.clear(CAPTURE_FAILED)
        return covered
