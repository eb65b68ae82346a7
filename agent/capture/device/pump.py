"""The thread that captures one device: a look at everything where something may have been missed, else a commit every ``rpo``.

What the pump does next, the first that is true::

    an errand → open the device → look at everything (doubt) → the commit in hand → a commit that is due → a look that was asked
    for → rest

Nothing is committed while something may have been missed, but for a first sync, or when more differs than memory holds: a part of
a device is no moment of it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress

from agent.capture.committer import Committer
from agent.capture.device.batch import DeviceBatch
from agent.capture.device.committing import Committing, MadeCommit
from agent.capture.device.first_copy import FirstCopyPace
from agent.capture.device.looking import ChunkLooker
from agent.capture.device.opened import DeviceLost, ReadsDevice
from agent.capture.device.opening import DeviceOpening
from agent.capture.device.requests import DeviceRequests
from agent.capture.device.runs import chunk_count
from agent.capture.device.session import DeviceSession
from agent.capture.device.source_guard import DeviceGuard, device_gone
from agent.capture.facts import CapturePhase, PumpFacts, SyncProgress
from agent.capture.outlet import Outlet
from agent.capture.ports import CaptureContext
from agent.capture.pumping.pruning import Pruning
from agent.capture.pumping.thread import PumpCalls, PumpThread
from agent.capture.tickets import Barrier, Ticket
from agent.capture.tree.parts import print_seed
from agent.core.commit import ORDINARY, Provenance
from agent.core.errors import CalledOff, TryAgain
from agent.core.hold import Hold
from agent.core.ids import NOTHING, ObjectId
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import CAPTURE_FAILED, PROBLEM_CODES, UNREADABLE

#: The device is looked for at least so often, in seconds.
_IDLE = 1.0
#: A commit of a first sync holds what was found within so many seconds at most.
_BULK_SECONDS = 1.0
#: One turn works for about so long before it looks who else wants something, in seconds.
_TURN = 0.02


class DevicePump(PumpThread):
    """Captures one device. Constructing does nothing; ``start`` begins, ``stop`` ends and may be called from any thread."""

    def __init__(self, context: CaptureContext, opening: DeviceOpening, outlet: Outlet, calls: PumpCalls) -> None:
        self._requests = DeviceRequests()
        super().__init__(context, calls, self._requests)
        self._opening = opening
        self._outlet = outlet
        self._committer = Committer(context, outlet, self._stopping, calls.require_room)
        self._guard = DeviceGuard(opening.path, context.dataset, context.catalog, context.local, opening.opens)
        self._pruning = Pruning(context.catalog, context.local, calls.horizons, context.clock)
        self._batch = DeviceBatch(context.catalog, context.local)
        self._committing = Committing(context, opening, self._committer, self._requests, outlet)
        self._session: DeviceSession | None = None
        self._hold: Hold | None = None
        self._doubt = False
        self._look: Generator[int, None, None] | None = None
        self._looked = 0
        self._lookers: list[Ticket] = []
        self._commit: Generator[None, None, MadeCommit] | None = None
        self._due = 0.0
        #: Until then no commit is tried, whoever waits: a freeze was refused.
        self._not_before = 0.0
        self._bulk_since = self._look_began = 0.0
        self._pace = FirstCopyPace(opening.yielding(), context.board, context.clock)
        #: Why changes are not followed, as the last audit found.
        self._missed: str | None = None

    # --- from any thread

    def barrier(self, made: Provenance = ORDINARY) -> Barrier:
        """See ``Pump.barrier``: the next moment that stands still covers it."""

        def covering() -> Ticket:
            ticket = Ticket("barrier", made)
            self._requests.ask(ticket)
            return ticket

        return Barrier(self._calls.set_barrier, covering)

    def look_again(self, objects: Sequence[ObjectId]) -> Ticket:
        """The ticket is done when these chunks were read, and what they hold is committed."""
        ticket = Ticket("read again")
        self._requests.ask_for_chunks(ticket, objects)
        return ticket

    def try_again(self) -> None:
        """What cannot be read is tried with each look at everything."""

    def unreadable(self, object_id: ObjectId) -> bool:
        """Whether a chunk could not be read when it was looked at last."""
        session = self._session
        return session is not None and object_id in session.unread

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """See ``Captures``. No filesystem is held open from one turn to the next, so that one turn's end is waited for."""
        self._requests.hold_off(1)
        try:
            with suppress(CalledOff):
                self.between_commits(lambda _: None, then_ends=False)
            yield
        finally:
            self._requests.hold_off(-1)

    def hinted(self, most: int) -> list[tuple[bytes, float]]:
        """A device has no paths to tell of; since when something waits (monotonic seconds), under the empty one."""
        since = self._committing.dirty_since
        return [(b"", since)][:most] if since is not None else []

    def unread(self, most: int) -> list[tuple[ObjectId, bytes, int]]:
        """A device has no files."""
        return []

    def facts(self) -> PumpFacts:
        """How it goes."""
        since = self._committing.dirty_since
        session, refused = self._session, self._committing.is_refused
        written = self._committing.left_bytes + (session.tracker.waiting if session is not None else 0)
        return PumpFacts(
            phase=self._phase,
            hold=self._hold,
            doubt=self._doubt,
            by_event=self._by_event,
            by_reconcile=self._by_reconcile,
            last_reconcile=self._last_reconcile,
            sync=self._progress(session),
            reading=None,
            fuzzy=0,
            hints=int(since is not None),
            large_waiting=0,
            put_off=self._clock.monotonic() - since if since is not None else 0.0,
            waits=0,
            ahead=self._batch.bytes,
            commits=self._committer.commits,
            untracked=self._missed is not None,
            behind=self._committing.is_behind,
            refused=refused,
            # The second try has read it: it is in no commit all the same.
            dirty=written + (self._batch.content if refused else 0),
        )

    @property
    def tracker_facts(self) -> tuple[str, str, int] | None:
        """Kind of the tracker in force, why it is that one, and how often it lost events; None while there is none."""
        session = self._session
        return (session.tracker.kind, session.tracker.why, session.tracker.overflows) if session is not None else None

    def audit(self) -> str | None:
        """See ``BlockTracker.audit``; to be called about once a minute."""
        session = self._session
        self._missed = session.tracker.audit() if session is not None else None
        return self._missed

    def _progress(self, session: DeviceSession | None) -> SyncProgress | None:
        if self._look is None or session is None:
            return None
        newest = self._context.catalog.newest()
        entries, there = (newest.entries, newest.bytes) if newest is not None else (0, 0)
        size = session.device.size
        if not self._first_sync:
            return SyncProgress(entries, min(self._looked, size), entries, size)
        # Zeros that were passed cost nothing: what is left counts as if it held something.
        left, ahead = max(0, size - self._looked), self._batch.bytes
        return SyncProgress(
            entries, there + ahead, entries + self._batch.rows + chunk_count(left), there + ahead + left
        )

    # --- the thread

    def _begin(self) -> None:
        self._context.local.known.begin()
        self._batch.begin_empty()

    def _end(self) -> None:
        self._close_session()
        self._requests.cancel_all()
        for ticket in (*self._lookers, *self._committing.ready):
            ticket.cancel("capture stopped")

    def _turn(self) -> None:
        session = self._standing()
        if session is None:
            self._requests.rest(_IDLE, held=True)
            return
        try:
            self._work(session)
        except DeviceLost as lost:
            self._lost(lost)

    def _work(self, session: DeviceSession) -> None:
        """The first thing of it that there is to do."""
        if self._requests.wants_walk:
            self._begin_look(session)
        if self._doubt and self._look is not None:
            self._step_look(session)
        elif not self._is_held_off() and (self._commit is not None or self._is_due(session)):
            self._step_commit(session)
        elif self._look is not None:
            self._step_look(session)
        else:
            self._idle()

    def _lost(self, lost: DeviceLost) -> None:
        """Nothing that was read since the last commit is believed: all of it is read once it can be."""
        self._doubt = True
        self._close_session()
        self._set_hold(device_gone(lost.subject, lost.reason))
        self._phase = CapturePhase.HELD
        self._requests.rest(_IDLE, held=True)

    def _standing(self) -> DeviceSession | None:
        """The session, if its device stands; opens it when it is back."""
        accepted = self._requests.take_accepted()
        if self._session is not None and not accepted and self._session.device.stands():
            return self._session
        self._close_session()
        device = self._guard.open(accepted=accepted)
        self._set_hold(device if isinstance(device, Hold) else None)
        if isinstance(device, Hold):
            self._phase = CapturePhase.HELD
            return None
        self._session = session = self._opened(device)
        session.tracker.start(self._committing.woken)
        self._begin_from(session)
        return session

    def _opened(self, device: ReadsDevice) -> DeviceSession:
        context, batch = self._context, self._batch
        batch.forget()
        # What cannot be read now is found anew.
        context.board.clear_code(UNREADABLE)
        looker = ChunkLooker(context.catalog, context.local, batch, print_seed(context.local), device.size)
        tracker = self._opening.opens_tracker(device)
        return DeviceSession(device, tracker, looker, batch, self._committer.send_ahead, context.board, context.clock)

    def _close_session(self) -> None:
        for work in (self._commit, self._look):
            if work is not None:
                work.close()
        if self._session is not None:
            saves = self._stopping.is_set() and not self._doubt and self._look is None
            if saves:
                self._session.tracker.restore(self._committing.left(self._session))
            self._session.close(self._opening.saved if saves else None)
        self._pace.end()
        self._commit = self._look = None
        self._session = None
        # Nothing tells of writes until it is open again: they wait from now on.
        self._committing.woken()

    def _set_hold(self, hold: Hold | None) -> None:
        if hold == self._hold:
            return
        board = self._context.board
        if self._hold is not None:
            board.clear(self._hold.code)
        self._hold = hold
        if hold is not None:
            now = self._clock.now_ns()
            board.put(Problem(PROBLEM_CODES[hold.code], Severity.ERROR, now, b"", hold.sentence, hold.remedy))

    # --- looks at everything

    def _begin_from(self, session: DeviceSession) -> None:
        """What the tracker owes since before is all that is to be read, where it knows."""
        told = session.tracker.take()
        if told.reconcile is not None or self._doubt or self._first_sync:
            self._doubt = True
            self._begin_look(session)
        else:
            self._committing.owe(session, told)
            self._phase = CapturePhase.LIVE

    def _begin_look(self, session: DeviceSession) -> None:
        """From the beginning, for all who asked for one."""
        self._read_for_peers(session)
        self._lookers += [*self._requests.take_walks(), *self._requests.take_tickets()]
        self._looked, self._bulk_since = 0, self._clock.monotonic()
        self._look_began = self._bulk_since
        self._committing.flush(session)
        self._look = session.pass_over_all(self._outlet)
        if self._first_sync:
            self._pace.begin()
            self._phase = CapturePhase.FIRST_SYNC
        else:
            self._phase = CapturePhase.RECONCILE

    def _step_look(self, session: DeviceSession) -> None:
        """Some of the look."""
        assert self._look is not None
        self._read_for_peers(session)
        if self._first_sync and (pause := self._pace.pause()):
            self._stopping.wait(min(pause, _TURN))
            return
        before, until = session.looker.differed, self._clock.monotonic() + _TURN
        for size in self._look:
            self._looked += size
            self._commit_bulk(session)
            if self._clock.monotonic() >= until or self._stopping.is_set():
                break
        else:
            self._look_ended(session)
        if not self._first_sync:
            self._by_reconcile += session.looker.differed - before

    def _read_for_peers(self, session: DeviceSession) -> None:
        """Of a first copy so much was committed already that a peer may lack what changed since. It waits for that, and the copy
        may take hours: it is read and committed in between. Later nothing is committed while all is looked at."""
        if not self._first_sync or not self._requests.wants_chunks:
            return
        readers, numbers = self._requests.take_readers()
        for _ in session.read_beside(sorted(numbers), self._outlet):
            if self._stopping.is_set():
                break
        session.give_rest()
        commit = self._committer.write(self._batch, consistent=False) or self._context.catalog.newest()
        for ticket in readers:
            ticket.finish(commit.number if commit is not None else NOTHING)

    def _commit_bulk(self, session: DeviceSession) -> None:
        """Of a first sync what was found so far, and of any look what is too much to be kept."""
        batch = self._batch
        waited = self._clock.monotonic() - self._bulk_since
        bulk = self._first_sync and batch.rows and (batch.full_of_bulk or waited >= _BULK_SECONDS)
        if bulk or batch.full:
            session.give_rest()
            self._committer.write(batch, consistent=False)
            self._bulk_since = self._clock.monotonic()

    def _look_ended(self, session: DeviceSession) -> None:
        session.give_rest()
        self._pace.end()
        self._look, self._doubt = None, False
        self._last_reconcile = self._clock.now_ns()
        self._committing.looked(self._lookers, self._clock.monotonic() - self._look_began)
        self._lookers = []
        self._due = 0.0

    # --- commits

    def _is_held_off(self) -> bool:
        return self._requests.is_held_off and not self._committing.goes_on

    def _is_due(self, session: DeviceSession) -> bool:
        if self._clock.monotonic() < self._not_before:
            return False
        if self._requests.is_urgent or self._committing.ready:
            return True
        wanted = self._committing.is_owed or self._requests.is_dirty or self._committing.is_bad_due(session)
        return wanted and self._clock.monotonic() >= self._due

    def _step_commit(self, session: DeviceSession) -> None:
        """Some of the commit in hand, or the beginning of the next."""
        if self._commit is None:
            self._commit = self._committing.run(session)
        session.steps += 1
        before, until = session.looker.differed, self._clock.monotonic() + _TURN
        try:
            while self._clock.monotonic() < until and not self._stopping.is_set():
                next(self._commit)
        except StopIteration as end:
            self._commit = None
            self._committed(session, end.value)
        self._by_event += session.looker.differed - before

    def _committed(self, session: DeviceSession, made: MadeCommit) -> None:
        self._due = self._clock.monotonic() + made.wait
        self._not_before = self._due if made.refused else 0.0
        if made.doubt:
            self._doubt = True
            self._begin_look(session)
        elif made.number is not None:
            if made.consistent:
                self._first_sync = False
            self._phase = CapturePhase.RECONCILE if self._look is not None else CapturePhase.LIVE
            self._context.board.clear(CAPTURE_FAILED)

    def _idle(self) -> None:
        self._pruning.turn()
        with suppress(TryAgain):
            self._context.local.keep()
        now = self._clock.monotonic()
        left = self._due - now
        seconds = min(_IDLE, left) if left > 0 and self._committing.is_owed else _IDLE
        self._requests.rest(seconds, held=now < self._not_before)
