"""What the pump has to do besides waiting: looks at hints, and in the background walks, drops and large files."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from agent.capture.batch import Name
from agent.capture.outstanding import Outstanding
from agent.capture.ports import Settled, Turned
from agent.capture.tree.moves import followed
from agent.capture.tree.parts import TreeParts
from agent.capture.tree.trail import Purpose, Saw, Steps, Trail
from agent.capture.tree.walk import Turns, Walk
from agent.chunking.stat_trust import Trust
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
    """Belongs to the pump's thread, with the parts that it drives. ``virgin``: nothing was ever captured in this catalog.

    What looks gave back is gathered while one of its methods runs, and returned by it."""

    def __init__(self, parts: TreeParts, virgin: bool) -> None:
        self._parts = parts
        self._batch = parts.tree.batch
        self._clock = parts.tree.clock
        self._virgin = virgin
        self._jobs: deque[Job] = deque()
        self._large_next = self._later_next = False
        #: Since when something that the background found has waited for its commit, monotonic seconds.
        self._since: float | None = None
        self._again: list[Hint] = []

    def __bool__(self) -> bool:
        return bool(self._jobs) or bool(self._parts.large) or len(self._parts.later) > 0

    # --- hints

    def look(self, hint: Hint) -> Generator[None, None, Sequence[Hint]]:
        """Look at a hint; the batch may be committed at every step. What is to be looked at again."""
        yield from self._look(hint)
        return self._given_back()

    def _look(self, hint: Hint) -> Steps:
        looker = self._parts.looker
        saw = yield from looker.look(hint)
        self._keep(saw)
        if hint.look is Look.ENTRY or (hint.look is Look.SUBTREE and not hint.path):
            return
        for directory in looker.directories_meant(hint) - set(saw.appeared):
            if hint.look is Look.CHILDREN:
                yield from self._children(directory, hint.path)
            else:
                self._add(Kind.SUBTREE, directory, *looker.moved.out_of(directory))

    def _children(self, directory: ObjectId, path: bytes) -> Steps:
        """The entries of one directory; those that are new directories are walked later."""
        # Nobody reads large files while a hint is looked at: it waits for none.
        walk, unlistable = self._parts.walk(Trust.EQUAL, waits=False), self._parts.tree.directories.unlistable

        def below(id: ObjectId, is_new: bool) -> None:
            if is_new or id in unlistable:
                unlistable.discard(id)
                walk.trail.to_walk(id)

        try:
            for _ in walk.visit(directory, below):
                yield
        except OSError:
            # The hint that is given back tells of its entry alone: whoever looks at that has it walked.
            unlistable.add(directory)
            self._parts.looker.retries.give_back(walk.trail, path)
        self._keep(walk.trail.saw())

    def _keep(self, saw: Saw) -> None:
        """What a look left to others: hints for the pump, and directories to be walked here."""
        self._again += saw.again
        if saw.again:
            self._parts.outstanding.gave_back()
        outstanding = self._parts.outstanding
        for id in saw.appeared:
            running = next((job for job in self._jobs if job.walk is not None and self._takes_more(job)), None)
            if running is not None and running.walk is not None:
                outstanding.join(running.serial)
                running.walk.add(id)
            else:
                self._add(Kind.APPEARED, id)
        self._follow_what_left()

    def _takes_more(self, job: Job) -> bool:
        """Whether a walk takes in what appears: not while somebody waits for it, who would wait for all that comes after, too."""
        return job.kind is Kind.APPEARED and job.serial > self._parts.outstanding.awaited

    def _given_back(self) -> Sequence[Hint]:
        again, self._again = self._again, []
        return again

    def _follow_what_left(self) -> None:
        """What leaves a place that is still to be gone over takes along what was to be found there."""
        leavings = self._parts.looker.moved.just_left()
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

    def turn(self) -> Turned:
        """About ten milliseconds of background work."""
        took_later = self._later_next = len(self._parts.later) > 0 and not self._later_next
        by_event, ended = (self._take_later(), None) if took_later else self._take_turn()
        if self._since is None and (self._batch.rows or self._batch.touched):
            self._since = self._clock.monotonic()
        is_due = self._batch.full_of_bulk or not self or took_later or self._has_waited()
        return Turned(by_event, ended is Kind.WHOLE, is_due, self._given_back())

    def _has_waited(self) -> bool:
        """Whether rows have waited long enough for their commit."""
        return self._since is not None and self._clock.monotonic() - self._since >= _LONGEST

    def batch_ended(self) -> None:
        """The batch is committed or forgotten."""
        self._since = None

    def _take_later(self) -> bool:
        """Entries that waited for the link, as many as it has room for, and one at least; whether an event told of one."""
        by_event = False
        parts, deadline = self._parts, self._clock.monotonic() + _TURN
        room, parts.objects.link.room = parts.objects.link.room, None
        try:
            while taken := parts.later.take():
                name, since, serial = taken
                by_event = by_event or parts.outstanding.was_told(serial)
                with parts.outstanding.on_behalf((serial,)):
                    self._look_at(name)
                self._batch.waited(since)
                parts.later.done(serial)
                if self._clock.monotonic() >= deadline or (room is not None and self._batch.bytes >= room.now):
                    break
        finally:
            parts.objects.link.room = room
        return by_event

    def _look_at(self, place: Name) -> None:
        trail = Trail(Purpose())
        for _ in self._parts.looker.entry(trail, *place):
            pass
        for _ in self._parts.looker.follow_up(trail):
            pass
        self._keep(trail.saw())

    def _take_turn(self) -> tuple[bool, Kind | None]:
        """A slice of a large file, or some steps of a job: whether what it found is owed to an event, and what ended."""
        job = self._next_job()
        outstanding, large = self._parts.outstanding, self._parts.large
        if job is None:
            serials = large.begin_next()
            by_event = any(outstanding.was_told(serial) for serial in serials)
            with outstanding.on_behalf(serials):
                self._keep(large.turn())
            return by_event, None
        by_event = outstanding.told = job.kind in (Kind.APPEARED, Kind.DROP)
        try:
            with outstanding.on_behalf(() if job.kind is Kind.WHOLE else (job.serial,)):
                ended = self._run(job)
        finally:
            outstanding.told = True
        return by_event, job.kind if ended else None

    def _next_job(self) -> Job | None:
        """Large files and walks take turns; of several walks of the whole root only the first runs."""
        self._large_next = not self._large_next
        if self._parts.large and (self._large_next or not self._jobs):
            return None
        if not self._jobs:
            return None
        self._jobs.rotate(-1)
        first_whole = min((job.serial for job in self._jobs if job.kind is Kind.WHOLE), default=0)
        while self._jobs[0].kind is Kind.WHOLE and self._jobs[0].serial != first_whole:
            self._jobs.rotate(-1)
        return self._jobs[0]

    def _run(self, job: Job) -> bool:
        """Some steps of a job; whether it ended."""
        if job.run is None:
            job.run = self._begun(job)
        ended = self._run_steps(job.run)
        self._keep(job.trail.saw())
        if ended:
            self._jobs.remove(job)
            self._owner(job.kind).end(job.serial)
            self._virgin = self._virgin and job.kind is not Kind.WHOLE
        return ended

    def _run_steps(self, run: Turns) -> bool:
        deadline = self._clock.monotonic() + _TURN
        for blocked in run:
            if blocked or self._batch.full_of_bulk or self._clock.monotonic() >= deadline:
                break
        else:
            return True
        return False

    def _begun(self, job: Job) -> Turns:
        if job.kind is Kind.DROP:
            return self._drop(job.trail, *job.tops)
        if job.kind is Kind.WHOLE:
            self._parts.tree.problems.look_begins()
            self._parts.objects.root()
            job.walk = self._parts.walk(Trust.CLEAN, whole=True, virgin=self._virgin)
        else:
            job.walk = self._parts.walk(Trust.EQUAL if job.kind is Kind.APPEARED else Trust.CLEAN)
        job.trail = job.walk.trail
        for top in job.tops:
            job.walk.add(top)
        return job.walk.run()

    def _drop(self, trail: Trail, top: ObjectId) -> Turns:
        for _ in self._parts.looker.departures.drop_below(trail, top):
            yield False
        for _ in self._parts.looker.follow_up(trail):
            yield False

    def _add(self, kind: Kind, *tops: ObjectId) -> Job:
        job = Job(kind, self._owner(kind).begin(), set(tops))
        self._jobs.append(job)
        return job

    def _owner(self, kind: Kind) -> Outstanding:
        return self._parts.walks if kind is Kind.WHOLE else self._parts.outstanding

    # --- before a commit

    def settle_batch(self) -> Settled:
        """Make the batch one that can be committed. On exit nothing in it is nameless, and directories are as they are now; or it
        is to be forgotten, and what it was about looked at again."""
        trail, outstanding = Trail(Purpose()), self._parts.outstanding
        # Of whose work it is in the batch nobody knows any more.
        with outstanding.on_behalf((outstanding.oldest(),)):
            is_right = self._settle(trail)
            self._keep(trail.saw())
        if is_right:
            self._look_at_touched()
        return Settled(is_right, self._given_back())

    def _settle(self, trail: Trail) -> bool:
        looker, batch = self._parts.looker, self._batch
        if batch.object(ROOT) is None:
            self._parts.objects.root()
        for _ in range(_ROUNDS):
            if not batch.orphans:
                return True
            doomed = looker.departures.settle_orphans(trail)
            if doomed:
                self._drop_doomed(doomed)
                return False
            for _ in looker.follow_up(trail):
                pass
        return False

    def _drop_doomed(self, doomed: list[ObjectId]) -> None:
        dropping = {top for job in self._jobs if job.kind is Kind.DROP for top in job.tops}
        for id in doomed:
            if id not in dropping:
                self._add(Kind.DROP, id)

    def _look_at_touched(self) -> None:
        batch = self._batch
        for id in sorted(batch.touched):
            if batch.object(id) is None:
                continue
            try:
                self._parts.objects.directory_again(id)
            except OSError:
                # It is gone or moved: then its parent's hint or the next walk tells.
                continue
        batch.touched.clear()
