"""What the pump has to do besides waiting: looks at hints, and in the background walks, drops and large files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from agent.capture.batch import Name
from agent.capture.tickets import Outstanding
from agent.capture.tree.moves import followed
from agent.capture.tree.session import TreeSession
from agent.capture.tree.trail import Purpose, Saw, Trail
from agent.capture.tree.walk import Turns, Walk
from agent.chunking.stat_trust import Trust
from agent.core.clock import Clock
from agent.core.ids import ROOT, ObjectId
from agent.watch.hint import Hint, Look

#: A turn of the background, and the longest that rows of a walk wait for their commit, in seconds.
_TURN = 0.01
_LONGEST = 1.0
_ROUNDS = 8


class Kind(Enum):
    """Why something is walked."""

    WHOLE = "whole"
    SUBTREE = "subtree"
    APPEARED = "appeared"
    DROP = "drop"


@dataclass(slots=True)
class Job:
    """One piece of background work; ``run`` is None until its first turn.

    ``tops``: what is gone over, with what left from below it before the walk may have come there; ``trail``: that of its
    looks."""

    kind: Kind
    serial: int
    tops: set[ObjectId]
    walk: Walk | None = None
    run: Turns | None = None
    trail: Trail = field(default_factory=lambda: Trail(Purpose()))


class Background:
    """Belongs to the pump's thread, with the session. ``virgin``: nothing was ever captured in this catalog.

    ``again``: hints to be given back to settle, for the pump, which empties it. ``by_event``: whether what the last turn found is
    owed to an event; ``whole_ended``: a walk of the whole root ended."""

    def __init__(self, session: TreeSession, virgin: bool) -> None:
        self.again: list[Hint] = []
        self.by_event = False
        self.whole_ended = False
        #: Whether the last turn looked at what had waited for the link.
        self.took_later = False
        self._session = session
        self._virgin = virgin
        self._jobs: deque[Job] = deque()
        self._large_next = self._later_next = False
        self._since: float | None = None

    def __bool__(self) -> bool:
        return bool(self._jobs) or bool(self._session.large) or len(self._session.later) > 0

    # --- hints

    def look(self, hint: Hint) -> Iterator[object]:
        """Look at a hint; the batch may be committed at every step."""
        looker = self._session.looker
        saw = yield from looker.look(hint)
        self._keep(saw)
        if hint.look is Look.ENTRY or (hint.look is Look.SUBTREE and not hint.path):
            return
        for directory in looker.directories_meant(hint) - set(saw.appeared):
            if hint.look is Look.CHILDREN:
                yield from self._children(directory, hint.path)
            else:
                self._add(Kind.SUBTREE, directory, *looker.moved.out_of(directory))

    def _children(self, directory: ObjectId, path: bytes) -> Iterator[object]:
        """The entries of one directory; those that are new directories are walked later."""
        walk = self._session.walk(Trust.EQUAL)
        try:
            yield from walk.visit(directory, lambda id, is_new: walk.trail.to_walk(id) if is_new else None)
        except OSError:
            self._session.looker.retries.give_back(walk.trail, path)
        self._keep(walk.trail.saw())

    def _keep(self, saw: Saw) -> None:
        """What a look left to others: hints for the pump, and directories to be walked here."""
        self.again += saw.again
        for id in saw.appeared:
            running = next((job.walk for job in self._jobs if job.kind is Kind.APPEARED and job.walk is not None), None)
            if running is not None:
                running.add(id)
            else:
                self._add(Kind.APPEARED, id)
        self._follow_what_left()

    def _follow_what_left(self) -> None:
        """What leaves a place that is still to be gone over takes along what was to be found there."""
        leavings = self._session.looker.moved.just_left()
        if not leavings:
            return
        for job in self._jobs:
            if job.kind is not Kind.SUBTREE and (job.kind is not Kind.WHOLE or job.walk is None):
                continue
            more = followed(job.tops, leavings) - job.tops
            job.tops |= more
            if job.walk is not None:
                for directory in more:
                    job.walk.add(directory)

    # --- the background

    def whole(self) -> int:
        """Walk the whole root, from now on; the serial of that work."""
        for job in self._jobs:
            if job.kind is Kind.WHOLE and job.run is None:
                return job.serial
        return self._add(Kind.WHOLE, ROOT).serial

    def whole_walk(self) -> Walk | None:
        """The walk of the whole root that goes on."""
        return next((job.walk for job in tuple(self._jobs) if job.kind is Kind.WHOLE and job.walk is not None), None)

    def has_whole(self) -> bool:
        """Whether a walk of the whole root goes on or waits."""
        return any(job.kind is Kind.WHOLE for job in tuple(self._jobs))

    def turn(self, clock: Clock) -> None:
        """About ten milliseconds of background work."""
        self.took_later = self._later_next = len(self._session.later) > 0 and not self._later_next
        if self.took_later:
            self._take_later(clock)
        else:
            self._take_turn(clock)
        if self._since is None and (self._session.batch.rows or self._session.batch.touched):
            self._since = clock.monotonic()

    def _take_later(self, clock: Clock) -> None:
        """Entries that waited for the link, as many as it has room for, and one at least."""
        session, deadline = self._session, clock.monotonic() + _TURN
        self.by_event = True
        room, session.objects.link.room = session.objects.link.room, None
        try:
            while taken := session.later.take():
                name, since, serial = taken
                self._look_at(name)
                session.batch.waited(since)
                session.later.done(serial)
                if clock.monotonic() >= deadline or (room is not None and session.batch.bytes >= room.now):
                    return
        finally:
            session.objects.link.room = room

    def _look_at(self, place: Name) -> None:
        trail = Trail(Purpose())
        for _ in self._session.looker.entry(trail, *place):
            pass
        for _ in self._session.looker.follow_up(trail):
            pass
        self._keep(trail.saw())

    def _take_turn(self, clock: Clock) -> None:
        job = self._next_job()
        if job is None:
            self.by_event = True
            self._keep(self._session.large.turn())
        else:
            self.by_event = job.kind in (Kind.APPEARED, Kind.DROP)
            self._run(job, clock)

    def is_due(self, clock: Clock) -> bool:
        """Whether rows have waited long enough for their commit."""
        return self._since is not None and clock.monotonic() - self._since >= _LONGEST

    def committed(self) -> None:
        """The batch is committed or forgotten."""
        self._since = None

    def _next_job(self) -> Job | None:
        """Large files and walks take turns; of several walks of the whole root only the first runs."""
        self._large_next = not self._large_next
        if self._session.large and (self._large_next or not self._jobs):
            return None
        if not self._jobs:
            return None
        self._jobs.rotate(-1)
        first_whole = min((job.serial for job in self._jobs if job.kind is Kind.WHOLE), default=0)
        while self._jobs[0].kind is Kind.WHOLE and self._jobs[0].serial != first_whole:
            self._jobs.rotate(-1)
        return self._jobs[0]

    def _run(self, job: Job, clock: Clock) -> None:
        if job.run is None:
            job.run = self._begun(job)
        deadline = clock.monotonic() + _TURN
        batch = self._session.batch
        for blocked in job.run:
            if blocked or batch.full_of_bulk or clock.monotonic() >= deadline:
                self._keep(job.trail.saw())
                return
        self._keep(job.trail.saw())
        self._jobs.remove(job)
        self._owner(job.kind).end(job.serial)
        if job.kind is Kind.WHOLE:
            self.whole_ended, self._virgin = True, False

    def _begun(self, job: Job) -> Turns:
        if job.kind is Kind.DROP:
            return self._drop(job.trail, *job.tops)
        if job.kind is Kind.WHOLE:
            self._session.problems.look_begins()
            self._session.objects.root()
            job.walk = self._session.walk(Trust.CLEAN, whole=True, virgin=self._virgin)
        else:
            job.walk = self._session.walk(Trust.EQUAL if job.kind is Kind.APPEARED else Trust.CLEAN)
        job.trail = job.walk.trail
        for top in job.tops:
            job.walk.add(top)
        return job.walk.run()

    def _drop(self, trail: Trail, top: ObjectId) -> Turns:
        for _ in self._session.looker.departures.drop_below(trail, top):
            yield False
        for _ in self._session.looker.follow_up(trail):
            yield False

    def _add(self, kind: Kind, *tops: ObjectId) -> Job:
        job = Job(kind, self._owner(kind).begin(), set(tops))
        self._jobs.append(job)
        return job

    def _owner(self, kind: Kind) -> Outstanding:
        return self._session.walks if kind is Kind.WHOLE else self._session.outstanding

    # --- before a commit

    def settle_batch(self) -> bool:
        """Make the batch one that can be committed: nothing nameless, directories as they are now.

        False when it cannot be: it must be forgotten, and what it was about looked at again."""
        looker, batch, trail = self._session.looker, self._session.batch, Trail(Purpose())
        if batch.object(ROOT) is None:
            self._session.objects.root()
        for _ in range(_ROUNDS):
            if not batch.orphans:
                self._keep(trail.saw())
                self._look_at_touched()
                return True
            doomed = looker.departures.settle_orphans(trail)
            if doomed:
                self._keep(trail.saw())
                self._drop_doomed(doomed)
                return False
            for _ in looker.follow_up(trail):
                pass
        self._keep(trail.saw())
        return False

    def _drop_doomed(self, doomed: list[ObjectId]) -> None:
        dropping = {top for job in self._jobs if job.kind is Kind.DROP for top in job.tops}
        for id in doomed:
            if id not in dropping:
                self._add(Kind.DROP, id)

    def _look_at_touched(self) -> None:
        batch = self._session.batch
        for id in sorted(batch.touched):
            if batch.object(id) is None:
                continue
            try:
                self._session.objects.directory_again(id)
            except OSError:
                # It is gone or moved: then its parent's hint or the next walk tells.
                continue
        batch.touched.clear()
