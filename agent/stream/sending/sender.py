"""The primary's side of one call: handshake, catch up, then live commits as they come.

::

    handshake ─→ catchup ─→ streaming ─┐
                  ↑   ↓                │ the queue overflowed, or does not go on where the peer is
                 by spool ←────────────┘

A peer that does not follow is ``behind`` in whichever of these it is in, until it has streamed for a while.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Protocol

from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.core.ids import NOTHING, CommitNumber
from agent.store.spool import Spool
from agent.stream import versions
from agent.stream.footing import Footing, LineageBroken, Way, judge_commit, judge_welcome
from agent.stream.messages import Answers, AskBarrier, BarrierReached, Batch, Hello, Welcome
from agent.stream.position import PositionBoard
from agent.stream.sending import live
from agent.stream.sending.batch_builder import Load
from agent.stream.sending.catchup import Catchup
from agent.stream.sending.feed import Feed, LiveCommit, LiveContent, LiveItem, PeerQueue
from agent.stream.sending.owed_by_peer import OwedContent, Told
from agent.stream.sending.pace import Pace
from agent.stream.sending.round import Round, RoundContext, rest_fruitless
from agent.stream.sending.rounds import Rounds
from agent.stream.sending.source import Source
from agent.stream.sending.spool_round import SpooledRound
from agent.stream.sending.talk.announcing import Waiting
from agent.stream.sending.talk.call import Conversation, Ended
from agent.stream.telling import Standings

_TAKE_BYTES = 4 << 20


class CallPhase(StrEnum):
    """Where a call stands; outside strings never change."""

    HANDSHAKE = "handshake"
    CATCHUP = "catchup"
    BEHIND = "behind"
    STREAMING = "streaming"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class _Taken:
    """Bytes taken from the queue last, as far as they must go out; of these, up to the end of the last commit; and what had been
    given to the call before."""

    size: int = 0
    commits: int = 0
    given: int = 0

    @classmethod
    def of(cls, items: Sequence[LiveItem], had: set[bytes] | None, given: int) -> _Taken:
        """Of ``items``, of which the peer has these chunks; None: it has not said yet."""
        sizes = [item.lacking if had is None else item.size - live.size_of_chunks((item,), had) for item in items]
        last = max((at for at, item in enumerate(items) if isinstance(item, LiveCommit)), default=-1)
        return cls(sum(sizes), sum(sizes[: last + 1]), given)


class PeerBarriers(Protocol):
    """Who begins a barrier that a peer asks for."""

    def begin(self, peer: str, ask: AskBarrier, told: Callable[[BarrierReached], None]) -> None:
        """Returns at once; ``told`` is called once, by any thread, unless the node stops or a later one of the same peer takes
        its place."""
        ...


@dataclass(frozen=True, slots=True)
class SendingContext:
    """What every call of a dataset works with. ``open_source`` and ``open_spool`` are called in the thread that runs
    ``Sender.outgoing`` (or ``Sender.verdict``), which closes what they give; ``standings``: how the dataset stands on both nodes,
    None: nothing is told; ``barriers`` and ``waiting``: of a peer by its name, see ``Conversation``."""

    open_source: Callable[[], Source]
    open_spool: Callable[[], Spool]
    feed: Feed
    clock: Clock
    standings: Standings | None
    barriers: PeerBarriers | None = None
    waiting: Callable[[str], Waiting] | None = None


class Sender:
    """One call to one peer. :meth:`outgoing` runs in the transport's request iterator, :meth:`incoming` where answers
    are read, :meth:`close` and the properties anywhere.

    ``board`` is told the peer's position; ``pace`` says how fast, None: as fast as it can; ``owed``: see ``OwedContent``."""

    def __init__(
        self, peer: str, hello: Hello, context: SendingContext, *, board: PositionBoard, pace: Pace | None, owed: Told
    ) -> None:
        barriers = partial(context.barriers.begin, peer) if context.barriers is not None else None
        self.talk = Conversation(
            peer,
            context.clock,
            pace=pace,
            judge=self._judge,
            standings=context.standings,
            barriers=barriers,
            waiting=context.waiting(peer) if context.waiting is not None else None,
        )
        self.phase = CallPhase.HANDSHAKE
        self._standings = context.standings
        self._peer = peer
        self._hello = hello
        self._open_source = context.open_source
        self._feed = context.feed
        self._board = board
        self._clock = context.clock
        self._open_spool = context.open_spool
        self._tell_owed = owed
        self._owed: OwedContent | None = None
        self._rounds = Rounds()
        self._round: Round | None = None
        self._spool: Spool | None = None
        self._queue: PeerQueue | None = None
        self._now: CommitNumber | None = None
        self._taken = _Taken()
        self._telling = threading.Lock()
        self._footing: Footing | None = None
        self._mends = self._asks_first = self._compact = self._doubted = False

    @property
    def behind_bytes(self) -> int | None:
        """Bytes captured for this peer, in the clear, that it has not worked off: in the queue, taken from it, or under way;
        until it streams, about: what its round has not come to yet, and what was captured since that began. None while it is not
        known what it lacks."""
        # In these orders what goes on from one to the next meanwhile counts twice, and not never.
        queue, current = self._queue, self._round
        if current is not None:
            since, missed = current.since, queue.missed if queue is not None else 0
            todo, later, unsaid = current.todo, self._feed.given - since, current.unsaid
            return None if todo is None else todo + later + missed + unsaid + self.talk.under_way.left_raw
        if self.phase is not CallPhase.STREAMING:
            return None
        waits, last = (queue.lacking + queue.missed if queue is not None else 0), self._taken
        taken = max(0, last.size - (self.talk.under_way.given_raw - last.given))
        return waits + taken + self.talk.under_way.left_raw

    def _unsaid(self) -> int:
        """See ``PeerQueue``."""
        taken = self._taken
        return max(0, taken.commits - (self.talk.under_way.given_raw - taken.given))

    @property
    def is_fruitless(self) -> bool:
        """Whether what this call does brings nothing, for now."""
        return self._rounds.fruitless.began is not None

    @property
    def caught_up(self) -> bool:
        """Whether the peer was brought up to date in this call, durably."""
        welcome = self.talk.welcome
        if self._now is None or welcome is None:
            return False
        return max(welcome.durable, self.talk.position.durable) >= self._now

    def outgoing(self) -> Iterator[Batch]:
        """What is to be sent, to the end of the call. Never raises: why it ended stands in ``talk.failure``."""
        try:
            yield from self._speak()
            self.talk.end()
        except Ended:
            pass
        except HikaeError as error:
            self.talk.end(error)
        finally:
            self.phase = CallPhase.ENDED

    def incoming(self, answers: Answers) -> None:
        """What the peer says. A failure ends the call and is raised: ``RefusedByPeer``, ``LineageBroken``, ``WireError``."""
        try:
            self.talk.hear(answers)
        except HikaeError as error:
            self.talk.end(error)
            raise
        self._tell_position()

    def close(self) -> None:
        """Come to an end after the commit that is being sent; what is not sealed is withdrawn. Returns at once."""
        self.talk.close()

    def release(self) -> None:
        """The call has ended: nothing more for its queue. Nobody may ever resume :meth:`outgoing` then, and a queue that is
        left behind would hold up capture once it is full, a spool its room on the disk."""
        self.talk.end()
        self._board.unheard()
        if self._standings is not None:
            self._standings.unwatch(self.talk.wake)
        self._feed.called(self._peer)
        queue, spool = self._queue, self._spool
        if queue is not None:
            queue.streaming = False
            queue.give_up()
            self._feed.detach(queue)
        self._round = None
        if spool is not None:
            spool.close()

    def verdict(self) -> HikaeError | None:
        """Why the call ended, None when we ended it; after :meth:`release`. A peer that says what it has and hangs up before the
        speaker came to it is judged all the same: a lost link must not hide what is proven."""
        failure, welcome = self.talk.failure, self.talk.welcome
        if failure is None or welcome is None or self._footing is not None:
            return failure
        try:
            with closing(self._open_source()) as source:
                judge_commit(self._peer, self._hello, welcome, source)
        except LineageBroken as broken:
            return broken
        except HikaeError:
            return failure
        return failure

    def _speak(self) -> Iterator[Batch]:
        yield (self._hello,)
        yield from self.talk.wait(lambda: self.talk.welcome is not None or self.talk.closing)
        if self.talk.welcome is None:
            return
        source = self._open_source()
        try:
            footing = self._footing = judge_commit(self._peer, self._hello, self.talk.welcome, source)
            if self._doubted:
                footing = footing.compared
            self._mends = self.talk.welcome.lacking
            self._asks_first, self._compact = self.talk.welcome.asks_first, self.talk.welcome.compact
            self._tell_position()
            if self._standings is not None:
                self._standings.watch(self.talk.wake)
            self._owed = OwedContent(self.talk, source, lambda: self._feed.looks, self._clock, self._tell_owed)
            while not self.talk.closing:
                footing = yield from self._attached(footing, source)
            # Why we end it (a pause) is the last that the peer hears.
            yield from self.talk.breathe()
        finally:
            source.close()

    def doubt(self) -> None:
        """The last commit came out otherwise there: the buckets are compared, whatever it says that it has."""
        self._doubted = True

    def _judge(self, welcome: Welcome) -> None:
        versions.check_welcome(self._peer, self._hello.versions, welcome)
        judge_welcome(self._peer, self._hello, welcome)

    def _tell_position(self) -> None:
        """Not before it is known whose commits the peer has: numbers of another history say nothing about ours."""
        footing, welcome = self._footing, self.talk.welcome
        if footing is None or welcome is None:
            return
        least = welcome.durable if footing.way in (Way.ANEW, Way.BACK) else NOTHING
        known = footing.back.number if footing.back is not None else NOTHING
        # The speaker tells too: of two that tell, the one that was overtaken would tell the older position last.
        with self._telling:
            position = self.talk.position
            durable = position.durable if position.durable > least else known
            applied = position.applied if position.applied > least else min(position.applied, known)
            self._board.publish(durable=durable, applied=applied)

    def _attached(self, footing: Footing, source: Source) -> Generator[Batch, None, Footing]:
        """Serve one queue until it overflows or the call is closing; returns from where the peer is to be brought on then."""
        if self._rounds.by_spool:
            return (yield from self._spooled(footing, source))
        queue = self._queue = self._feed.attach(self._peer, self.talk.wake, self._unsaid)
        try:
            if self.talk.over:
                raise Ended
            while not self._is_over(queue):
                asked_first = self._asks_first
                footing = yield from self._caught_up(footing, source, queue)
                if self._is_over(queue):
                    break
                if asked_first and not self._asks_first:
                    # Content of large files that this queue had was dropped: a new one does not count it as passed.
                    return footing
                source.rest()
                # From here on the queue holds all that it lacks; until here what the last round left counts.
                queue.settled(footing.base)
                self.phase, self._round = CallPhase.STREAMING, None
                self._rounds.streams(self._clock.monotonic())
                queue.streaming = not self.talk.over
                footing = Footing((yield from self._stream(footing.base, queue)), Way.ON)
                queue.streaming = False
                self._rounds.lags(self._clock.monotonic())
        finally:
            queue.streaming = False
            self._feed.detach(queue)
        return footing

    def _may_speak(self, queue: PeerQueue) -> bool:
        """Whether something may go out: commits whenever the credit lets them, content of large files a little at a time."""
        queue.bulk = min(queue.bulk_most, self.talk.under_way.bulk_credit)
        queue.moment, queue.is_measured = self.talk.under_way.moment, self.talk.under_way.is_measured
        return queue.has_commit or (bool(queue) and self.talk.under_way.size <= self.talk.under_way.bulk_credit)

    def _is_over(self, queue: PeerQueue) -> bool:
        return queue.overflowed or self.talk.closing

    def _context(self, source: Source, queue: PeerQueue) -> RoundContext:
        return RoundContext(self.talk, source, queue, lambda: self._feed.given, self._compact, self._asks_first)

    def _caught_up(self, footing: Footing, source: Source, queue: PeerQueue) -> Generator[Batch, None, Footing]:
        """Rounds from the source; returns from where the peer is to be brought on then."""
        catchup = Catchup(self._context(source, queue), footing, self._rounds)
        self._begins(catchup)
        if self._mends:
            self._mends = False
            yield from catchup.mend()
        yield from catchup.run()
        self._went_without(catchup.absent)
        self._now = catchup.base
        self._asks_first = self._asks_first and not catchup.consistent
        return catchup.footing

    def _spooled(self, footing: Footing, source: Source) -> Generator[Batch, None, Footing]:
        """One round by the spool, once the peer has worked off what is under way: what is asked would wait behind it while the
        source changes. Returns from where the peer is to be brought on then."""
        self.phase = CallPhase.BEHIND
        yield from self.talk.drained()
        if self.talk.closing:
            return footing
        with closing(self._open_spool()) as spool:
            self._spool = spool
            queue = self._queue = self._feed.attach(self._peer, self.talk.wake, self._unsaid, spool)
            one = SpooledRound(self._context(source, queue), footing, spool)
            self._begins(one)
            try:
                if self.talk.over:
                    raise Ended
                yield from one.run()
            finally:
                queue.give_up()
                self._feed.detach(queue)
        self._went_without(one.absent)
        self._rounds.spooled(one.moved, one.sealed)
        if one.stuck:
            yield from rest_fruitless(self.talk, source, self._rounds, one.stuck)
        return one.footing

    def _went_without(self, absent: bool) -> None:
        if absent and self._owed is not None:
            self._owed.declared()

    @property
    def _owes(self) -> bool:
        return self._owed is not None and self._owed.any

    @property
    def _patches(self) -> bool:
        """Whether a version may be sent as patches of the one before: not where the peer may not have all of that."""
        return self.talk.patches and not self._owes

    @property
    def _asks_owed(self) -> bool:
        return self._owed is not None and self._owed.due

    def _begins(self, one: Round) -> None:
        self.phase = CallPhase.BEHIND if self._rounds.behind else CallPhase.CATCHUP
        self._round = one

    def _stream(self, base: CommitNumber, queue: PeerQueue) -> Generator[Batch, None, CommitNumber]:
        """Live commits; returns where the peer is when the queue does not go on from there."""
        load = Load(self.talk.under_way.level, self.talk.under_way.message)
        while True:
            yield from self.talk.wait(lambda: self._may_speak(queue) or self._is_over(queue) or self._asks_owed)
            if self._owed is not None and self._owed.due and not (self._may_speak(queue) or self._is_over(queue)):
                yield from self._owed.go_on(lambda: self._may_speak(queue) or self._is_over(queue))
                continue
            items = queue.take(min(_TAKE_BYTES, self.talk.under_way.bulk_credit))
            if not items:
                return base
            if self._asks_first:
                queue.dropped(items)
                if any(isinstance(item, LiveCommit) and item.commit.number > base for item in items):
                    return base
                continue
            given = self.talk.under_way.given_raw
            self._taken = _Taken.of(items, None, given)
            had = yield from live.ask_for_missing(self.talk, load, items)
            self._taken = _Taken.of(items, had, given)
            fits = True
            for item in items:
                if isinstance(item, LiveCommit) and fits and item.commit.number > base:
                    fits = item.commit.parent == base and not item.uncovered
                    if fits:
                        yield from live.put_commit(self.talk, load, item, base, had, self._patches)
                        base = item.commit.number
                        continue
                # Rows that do not fit are offered by the catchup that follows; it counts on the chunks having gone out.
                patches = fits and isinstance(item, LiveContent) and queue.follows(item.token) and self._patches
                yield from live.put_chunks(self.talk, load, item, had, patches)
            yield from self.talk.say(load.take())
            self._taken = _Taken()
            if not fits:
                return base
