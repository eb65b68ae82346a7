"""The thread that drives capture: hints first, then a little of the bulk, then it waits."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from agent.capture.batch import BYTES
from agent.capture.committer import CaptureStopped, Committer
from agent.capture.exclude import Rules
from agent.capture.facts import CapturePhase, PumpFacts, SyncProgress
from agent.capture.files.hard_links import Linked
from agent.capture.outlet import Outlet
from agent.capture.pruning import Pruning
from agent.capture.root import RootGuard, RootHold
from agent.capture.tickets import Awaited, Barrier, Ticket
from agent.capture.tree.jobs import Background
from agent.capture.tree.session import TreeSession
from agent.chunking.cutter import require_native
from agent.core.clock import Clock
from agent.core.errors import HikaeError, TryAgain
from agent.core.ids import NOTHING
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import CAPTURE_FAILED
from agent.core.rows import is_object, key_of, object_id_of_key
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiry import ALL_HISTORY, Horizons
from agent.store.doubt import doubt_what_may_be_older
from agent.store.local import Local
from agent.watch.hint import Hint, Look, Passing, waits_for_nothing
from agent.watch.settle import Settle

#: Directories stay open so long, in seconds, after the last thing that happened.
LET_GO = 10.0

#: So many hints are looked at before the bulk gets a turn again.
_HINTS_AT_ONCE = 512
#: The root is looked at at least so often, in seconds.
_IDLE = 1.0
_NO_ROOM = 0.01
#: So long, in seconds, a root that stood is taken to stand while nothing is committed.
_SEEN = 0.05

_HOLDS = {
    RootHold.GONE: ("the root is not there", "mount or restore it; capture goes on by itself"),
    RootHold.REPLACED: (
        "another directory or filesystem stands where the root was",
        "bring the old one back, or, if this one is right: hikae accept {dataset}",
    ),
}


class Pump:
    """Captures one tree. Constructing does nothing; ``start`` begins, ``stop`` ends and may be called from any thread.

    ``catalog`` and ``local`` belong to the pump from ``start`` to ``stop``; an epoch must have begun. ``set_barrier`` is the
    watcher's; without one a barrier covers what the pump was told before. ``on_failed`` is called once, by the pump's thread,
    when it cannot go on; ``horizons`` now and then, when it has nothing else to do: how far history is to reach;
    ``require_room`` with the bytes of rows before each commit: it raises ``TryAgain`` while there is no room for them."""

    def __init__(
        self,
        dataset: str,
        path: str,
        catalog: Catalog,
        local: Local,
        settle: Settle,
        outlet: Outlet,
        board: ProblemBoard,
        clock: Clock,
        rules: Rules | None = None,
        set_barrier: Callable[[], Passing] = lambda: waits_for_nothing,
        on_failed: Callable[[Exception], None] | None = None,
        horizons: Callable[[], Horizons] = lambda: ALL_HISTORY,
        require_room: Callable[[int], None] = lambda _: None,
        linked: Linked | None = None,
    ) -> None:
        self._catalog = catalog
        self._local = local
        self._settle = settle
        self._outlet = outlet
        self._board = board
        self._clock = clock
        self._rules = rules if rules is not None else Rules()
        self._set_barrier = set_barrier
        self._on_failed = on_failed
        self._pruning = Pruning(catalog, local, horizons, clock)
        self._guard = RootGuard(path, local)
        self._condition = threading.Condition()
        self._stopping = threading.Event()
        self._committer = Committer(catalog, local, outlet, board, clock, self._stopping, require_room)
        #: Files with further names: what the watcher asks about changes outside the root.
        self.linked = linked or Linked()
        self._dataset = dataset
        self._tokens = itertools.count(1)
        self._session: TreeSession | None = None
        self._background: Background | None = None
        self._waiting: list[Awaited] = []
        self._requests: list[Ticket] = []
        self._accept = False
        self._hold: RootHold | None = None
        self._seen_at = -_SEEN
        self._busy_at = clock.monotonic()
        self._phase = CapturePhase.STARTING
        self._doubt: Awaited | None = None
        self._first_sync = False
        self._by_event = self._by_reconcile = 0
        self._last_reconcile: int | None = None
        self._thread = threading.Thread(target=self._run, name=f"pump-{dataset}")

    # --- from any thread

    def start(self) -> None:
        """Begin. Raises ``ConfigError`` when the cutter's compiled part is missing."""
        require_native()
        self._thread.start()

    def stop(self) -> None:
        """End after the step in hand; tickets that wait are cancelled."""
        self._stopping.set()
        with self._condition:
            self._condition.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def hint(self, hints: Sequence[Hint]) -> None:
        """Something may have changed: the watcher's sink."""
        with self._condition:
            self._settle.add(hints, self._clock.monotonic())
            self._condition.notify()

    def reconcile(self, reason: str) -> Ticket:
        """Walk the whole root; the ticket is done when all of it is committed. ``reason`` is for people."""
        ticket = Ticket(f"reconcile ({reason})")
        self._enlist(ticket, self._add_request)
        return ticket

    def barrier(self) -> Barrier:
        """It covers everything that system calls wrote before this call."""
        return Barrier(self._set_barrier, self._covering)

    def look(self, hints: Sequence[Hint]) -> Ticket:
        """The ticket is done when what these point at is committed: whoever asks waits for no walk that goes on."""
        ticket = Ticket("look again")
        self._enlist(ticket, lambda one: self._add_look(hints, one))
        return ticket

    def accept_root(self) -> None:
        """The operator says that what stands at the root's path now is right."""
        with self._condition:
            self._accept = True
            self._condition.notify()

    def try_again(self) -> None:
        """Look at what somebody holds shut; to be called now and then."""
        session = self._session
        paths = session.problems.to_try() if session is not None else []
        if paths:
            self.hint([Hint(path, Look.ENTRY) for path in paths])

    def cannot_read(self, path: bytes) -> bool:
        """Whether what stands at this path could not be read when it was looked at last."""
        session = self._session
        return session is not None and session.problems.cannot_read(path)

    def facts(self) -> PumpFacts:
        """How it goes."""
        background, session = self._background, self._session
        with self._condition:
            hints = self._settle.held()
        return PumpFacts(
            phase=self._phase,
            hold=self._hold,
            doubt=self._doubt is not None,
            by_event=self._by_event,
            by_reconcile=self._by_reconcile,
            last_reconcile=self._last_reconcile,
            sync=self._progress(background),
            reading=session.large.progress() if session is not None else None,
            fuzzy=self._committer.fuzzy,
            hints=hints,
            large_waiting=session.large.waiting if session is not None else 0,
            put_off=session.put_off() if session is not None else 0.0,
            waits=session.waits if session is not None else 0,
            ahead=session.large.ahead if session is not None else 0,
            commits=self._committer.commits,
        )

    def _covering(self) -> Ticket:
        ticket = Ticket("barrier")
        self._enlist(ticket, self._add_barrier)
        return ticket

    def _enlist(self, ticket: Ticket, add: Callable[[Ticket], None]) -> None:
        with self._condition:
            if self._stopping.is_set() or self._phase is CapturePhase.STOPPED:
                ticket.cancel("capture is stopped")
                return
            add(ticket)
            self._condition.notify()

    def _add_request(self, ticket: Ticket) -> None:
        """Under the lock: the pump takes the list away and puts another in its place."""
        self._requests.append(ticket)

    def _add_barrier(self, ticket: Ticket) -> None:
        mark = self._settle.mark()
        self._settle.flush(mark)
        self._waiting.append(Awaited(ticket, walk=self._doubt.walk if self._doubt is not None else None, mark=mark))

    def _add_look(self, hints: Sequence[Hint], ticket: Ticket) -> None:
        self._settle.add(hints, self._clock.monotonic())
        mark = self._settle.mark()
        self._settle.flush(mark)
        self._waiting.append(Awaited(ticket, mark=mark, alone=True))

    def _progress(self, background: Background | None) -> SyncProgress | None:
        if background is None or not background.has_whole():
            return None
        walk, newest = background.whole_walk(), self._catalog.newest()
        entries, size = (walk.entries, walk.bytes) if walk is not None else (0, 0)
        if newest is None or self._first_sync:
            counted = self._session.counted if self._session is not None else None
            return SyncProgress(entries, size, *(counted or (None, None)))
        if walk is None:
            return None
        return SyncProgress(entries, size, max(newest.entries, entries), max(newest.bytes, size))

    # --- the thread

    def _run(self) -> None:
        try:
            doubt_what_may_be_older(self._local, self._catalog)
            self._local.known.begin()
            newest = self._catalog.newest()
            self._first_sync = newest is None or not newest.consistent
            while not self._stopping.is_set():
                self._turn()
        except CaptureStopped:
            pass
        except HikaeError as error:
            self._fail(error, f"{error.reason} ({error.subject})" if error.subject else error.reason, error.remedy)
        # Whatever it was: a pump that is gone must be seen, or nothing would be replicated in silence.
        except Exception as error:  # noqa: BLE001
            self._fail(error, f"{type(error).__name__}: {error}", "report this, and restart the agent")
        finally:
            self._end()

    def _fail(self, error: Exception, reason: str, remedy: str) -> None:
        self._board.put(
            Problem(CAPTURE_FAILED, Severity.ERROR, self._clock.now_ns(), b"", f"capture stopped: {reason}", remedy)
        )
        if self._on_failed is not None:
            self._on_failed(error)

    def _end(self) -> None:
        with self._condition:
            self._phase = CapturePhase.STOPPED
            left = [*self._requests, *(one.ticket for one in self._waiting if one.ticket is not None)]
            self._requests, self._waiting = [], []
        for ticket in left:
            ticket.cancel("capture stopped")
        self._close_session()

    def _turn(self) -> None:
        session = self._standing_session()
        if session is None or self._background is None:
            self._rest(_IDLE)
            return
        self._take_requests(self._background)
        self._look_at_room(session)
        with self._condition:
            session.large.hurry = bool(self._waiting) or self._doubt is not None
            hints = self._settle.ready(self._clock.monotonic(), _HINTS_AT_ONCE)
        if hints:
            self._live(session, self._background, hints)
        if self._background:
            has_room = self._outlet.has_room(0.0 if hints else _NO_ROOM)
            if self._first_sync:
                session.count(waits=not has_room)
            if has_room:
                self._bulk(session, self._background)
        elif not hints:
            if not self._commit(session, self._background, drained=True):
                self._begin_doubt(self._background)
            elif self._doubt is None:
                session.copies.tell((self._committer.commits, self._last_reconcile))
            self._pruning.turn()
            self._let_go(session)
            self._rest(session.large.rest(_IDLE))
            return
        self._busy_at = self._clock.monotonic()

    def _look_at_room(self, session: TreeSession) -> None:
        """What a slow link has room for, as it is now."""
        room = session.objects.link.room = None if session.later.full else self._outlet.room()
        session.batch.most = BYTES if room is None else min(BYTES, room.moment)

    def _let_go(self, session: TreeSession) -> None:
        """Nothing happens: directories that were passed need not stay open, nor keep anybody from what they hold; and what was
        learned of the last changes waits for no others."""
        if self._clock.monotonic() - self._busy_at > LET_GO:
            session.directories.let_go()
            with suppress(TryAgain):
                self._local.keep()

    def _rest(self, longest: float) -> None:
        with self._condition:
            if self._stopping.is_set() or self._requests or self._accept:
                return
            now = self._clock.monotonic()
            due = self._settle.next_due(now) if self._hold is None else None
            if self._hold is None and any(one.mark is None for one in self._waiting):
                return
            self._condition.wait(longest if due is None else min(longest, max(due - now, 0.0)))

    # --- the root

    def _standing_session(self) -> TreeSession | None:
        """The session, if the root stands; opens it when it is back."""
        if self._session is not None and not self._accept and self._stands(self._session):
            return self._session
        self._close_session()
        if self._accept:
            self._accept_now()
        opened = self._guard.open()
        if isinstance(opened, RootHold):
            self._set_hold(opened)
            return None
        self._set_hold(None)
        self._open_session(opened)
        return self._session

    def _stands(self, session: TreeSession) -> bool:
        """Whether the root stands, as it was seen of late: a commit looks itself, and each look costs more than a short turn when
        another thread wants the interpreter."""
        now = self._clock.monotonic()
        if not self._seen_at <= now < self._seen_at + _SEEN:
            if not self._guard.stands(session.root_fd):
                return False
            self._seen_at = now
        return True

    def _accept_now(self) -> None:
        self._accept = False
        try:
            if self._guard.accept():
                self._forget_facts()
        except OSError:
            return

    def _forget_facts(self) -> None:
        """On another filesystem no handle means what it meant: places decide which object is which."""
        for rows in self._catalog.rows_at():
            self._local.write([], [object_id_of_key(key_of(row)) for row in rows if is_object(row)])

    def _set_hold(self, hold: RootHold | None) -> None:
        if hold is self._hold:
            return
        if self._hold is not None:
            self._board.clear(self._hold.code)
        self._hold = hold
        if hold is not None:
            self._phase = CapturePhase.HELD
            message, remedy = _HOLDS[hold][0], _HOLDS[hold][1].format(dataset=self._dataset)
            self._board.put(
                Problem(
                    hold.code,
                    Severity.ERROR,
                    self._clock.now_ns(),
                    b"",
                    f"capture is held: {message}",
                    remedy,
                )
            )

    def _open_session(self, root_fd: int) -> None:
        session = self._session = TreeSession(
            root_fd,
            self._catalog,
            self._local,
            self._rules,
            self._board,
            self._clock,
            self._committer.send_ahead,
            self._tokens,
            self.linked,
        )
        virgin = self._catalog.created and self._catalog.newest() is None
        self._background = Background(session, virgin)
        if self._first_sync:
            session.begin_census()
        with self._condition:
            for waiting in self._waiting:
                # What they waited for went with the old session; the walk that begins now covers it.
                waiting.restart()
        self._begin_doubt(self._background)

    def _close_session(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = self._background = None

    # --- what is to be done

    def _begin_doubt(self, background: Background) -> None:
        """Something may have been missed: nothing is consistent until a whole walk and every hint from before its end are in."""
        walk = background.whole()
        with self._condition:
            self._doubt = Awaited(None, walk=walk)
            for waiting in self._waiting:
                waiting.wait_for_walk(walk)
        self._phase = CapturePhase.FIRST_SYNC if self._first_sync else CapturePhase.RECONCILE

    def _take_requests(self, background: Background) -> None:
        with self._condition:
            requests, self._requests = self._requests, []
            for ticket in requests:
                self._waiting.append(Awaited(ticket, walk=background.whole()))
        if requests and self._phase is CapturePhase.LIVE:
            self._phase = CapturePhase.RECONCILE

    def _live(self, session: TreeSession, background: Background, hints: list[Hint]) -> None:
        """Look at hints and commit what they show. What of it was forgotten is given back before anybody is told anything."""
        before = session.batch.changed
        session.looker.hints_taken()
        for hint in hints:
            if not self._look(session, background, hint):
                self._give_back(hints)
                hints = []
        if session.batch.changed == before and not self._covers_anybody(session, background):
            # Nothing of ours: what a walk has gathered so far is not cut off for it.
            return
        if not self._commit(session, background, drained=True):
            self._give_back(hints)
            self._begin_doubt(background)

    def _give_back(self, hints: list[Hint]) -> None:
        with self._condition:
            self._settle.returned(hints, self._clock.monotonic())

    def _look(self, session: TreeSession, background: Background, hint: Hint) -> bool:
        """Look at one hint; False when a batch on the way had to be forgotten, with what earlier looks and walks had put into it:
        from then on nothing is consistent, and nobody is answered, before all was looked at."""
        if not hint.path and hint.look is Look.SUBTREE:
            self._begin_doubt(background)
        whole, before = True, session.batch.rows
        for _ in background.look(hint):
            if session.batch.full:
                self._by_event += session.batch.rows - before
                before = 0
                if not self._commit(session, background, drained=False):
                    whole = False
                    self._begin_doubt(background)
        self._by_event += max(0, session.batch.rows - before)
        return whole

    def _bulk(self, session: TreeSession, background: Background) -> None:
        """A turn of the walks and large files."""
        before = session.batch.rows
        background.turn(self._clock)
        found = max(0, session.batch.rows - before)
        if background.by_event:
            self._by_event += found
        elif not self._first_sync:
            self._by_reconcile += found
        if background.whole_ended:
            background.whole_ended = False
            self._last_reconcile = self._clock.now_ns()
            session.problems.healed = True
        due = session.batch.full_of_bulk or not background or background.took_later or background.is_due(self._clock)
        if due and not self._commit(session, background, drained=True):
            self._begin_doubt(background)

    # --- commits

    def _commit(self, session: TreeSession, background: Background, drained: bool) -> bool:
        """Commit the batch. ``drained``: no hint is in hand, so whoever waits may be covered by it.

        False: the batch could not be right and was forgotten."""
        right = background.settle_batch() and self._guard.stands(session.root_fd)
        background.committed()
        if not right:
            session.batch.forget()
            return False
        covered = self._covered(session, background) if drained else []
        try:
            commit = self._committer.write(session.batch, consistent=self._doubt is None) or self._catalog.newest()
        except BaseException:
            for ticket in covered:
                ticket.cancel("capture stopped")
            raise
        self._look_at_room(session)
        if session.problems.healed:
            session.problems.healed = False
            self._outlet.looked()
        for ticket in covered:
            ticket.finish(commit.number if commit is not None else NOTHING)
        return True

    def _covers_anybody(self, session: TreeSession, background: Background) -> bool:
        """Whether somebody would be answered, or the doubt end, if the batch in hand were committed."""
        with self._condition:
            self._return_again(background)
            waiting = [*self._waiting, *((self._doubt,) if self._doubt is not None else ())]
            return True in [one.covered(self._settle, session.walks, session.outstanding) for one in waiting]

    def _return_again(self, background: Background) -> None:
        self._settle.returned(background.again, self._clock.monotonic())
        background.again.clear()

    def _covered(self, session: TreeSession, background: Background) -> list[Ticket]:
        """Give back what is to be looked at again, then see who is covered by the batch in hand."""
        with self._condition:
            self._return_again(background)
            done = [one for one in self._waiting if one.covered(self._settle, session.walks, session.outstanding)]
            self._waiting = [one for one in self._waiting if one not in done]
            if self._doubt is not None and self._doubt.covered(self._settle, session.walks, session.outstanding):
                self._doubt, self._first_sync = None, False
        if self._doubt is None and not background.has_whole():
            self._phase = CapturePhase.LIVE
            self._board.clear(CAPTURE_FAILED)
        return [one.ticket for one in done if one.ticket is not None]
