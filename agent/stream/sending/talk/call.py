"""What the two threads of a call on the primary share: credit, questions in flight, deadlines, and the end.

One thread speaks (the request iterator), one hears (the answers), a third may watch the deadlines.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from agent.core.clock import Clock
from agent.core.commit import Position
from agent.core.errors import HikaeError, Unreachable
from agent.core.ids import shown_commit
from agent.stream.messages import (
    HEARTBEAT,
    SILENCE,
    Announce,
    Answers,
    AskBarrier,
    BarrierReached,
    Batch,
    Heartbeat,
    Need,
    Owing,
    Progress,
    Refuse,
    SecondaryPart,
    Sums,
    Welcome,
    bad,
)
from agent.stream.sending.pace import Pace
from agent.stream.sending.talk.announcing import Announcing, Waiting
from agent.stream.sending.talk.refusals import RefusedByPeer
from agent.stream.sending.talk.unanswered import Unanswered
from agent.stream.sending.talk.under_way import UnderWay
from agent.stream.sending.talk.words import Words
from agent.stream.telling import Standings, Telling
from agent.stream.weights import raw_weight, weight

STANDSTILL = 60.0
_TICK = 1.0


class Ended(Exception):
    """The call is over; why stands in ``Conversation.failure``. Only ever raised in the speaking thread."""


class Conversation:
    """The shared state of one call. ``pace``: how fast it may speak; None: as fast as it can. ``judge`` is called with the
    Welcome before anything else that the peer says is heard; what it raises ends the call. ``standings``: how the dataset
    stands on either side, None: nothing is told; ``barriers``: begins one that the peer asks for, and tells what became of it;
    it must not block. None: they are passed over. ``waiting``: what waits for the peer, None: it is not told."""

    def __init__(
        self,
        peer: str,
        clock: Clock,
        *,
        pace: Pace | None,
        judge: Callable[[Welcome], None],
        standings: Standings | None,
        barriers: Callable[[AskBarrier, Callable[[BarrierReached], None]], None] | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self.peer = peer
        self._judge = judge
        self._barriers = barriers
        self.welcome: Welcome | None = None
        self.position = Position()
        self.failure: HikaeError | None = None
        self.closing = False
        #: How many objects the peer said that it owes.
        self.owed = 0
        self.under_way = UnderWay()
        self.unanswered = Unanswered()
        self._clock = clock
        self._pace = pace
        self._telling = Telling(standings, peer, clock)
        self._announcing = Announcing(waiting, clock) if waiting is not None else None
        self._words = Words(clock)
        self._condition = threading.Condition()
        self._over = False
        now = clock.monotonic()
        self._heard_at = self._moved_at = self._spoke_at = self._asked_at = now
        self._paced = False
        #: What became of barriers that the peer asked for, and was not told yet.
        self._reached: deque[BarrierReached] = deque()

    # --- the hearing thread

    def hear(self, answers: Answers) -> None:
        """Take what the peer says. Raises ``RefusedByPeer``, ``WireError``; the call must end then."""
        self._words.heard(len(answers))
        with self._condition:
            self._heard_at = self._clock.monotonic()
            for part in answers:
                self._hear(part)
            self._condition.notify_all()

    def _hear(self, part: SecondaryPart) -> None:
        if isinstance(part, Refuse):
            raise RefusedByPeer(self.peer, part)
        if isinstance(part, Welcome):
            if self.welcome is not None:
                raise bad("a second welcome")
            self._judge(part)
            self.under_way.grant(part.credit)
            self.position = Position(part.durable, part.applied)
            self.welcome, self.owed = part, part.owed
        elif self.welcome is None:
            raise bad("an answer before its welcome")
        elif isinstance(part, Need):
            self.unanswered.heard_need(part)
            self._asked_at = self._heard_at
        elif isinstance(part, Owing):
            self.unanswered.heard_owing(part)
            self.owed = part.total
        elif isinstance(part, Sums):
            self.unanswered.heard_sums(part)
            self._asked_at = self._heard_at
        elif isinstance(part, Progress):
            self._progress(part)
        elif isinstance(part, AskBarrier):  # noqa: SIM102 - as each kind of part above
            if self._barriers is not None:
                self._barriers(part, self._barrier_ended)

    def _barrier_ended(self, barrier: BarrierReached) -> None:
        """By the thread that saw it."""
        with self._condition:
            self._reached.append(barrier)
            self._condition.notify_all()

    def _check_position(self, said: Position) -> None:
        """A peer has what it had, up to what was sealed to it; of that it may have applied anything (law 6)."""
        known, most = self.position.durable, max(self.position.durable, self.under_way.sealed)
        if not known <= said.durable <= most:
            between = (
                f"{shown_commit(known)} was there before, and {shown_commit(most)} is the newest that was sealed to it"
            )
            raise bad(f"commit {shown_commit(said.durable)} as durable there, where {between}")
        if said.applied > said.durable:
            raise bad(
                f"commit {shown_commit(said.applied)} as applied there, where {shown_commit(said.durable)} is the newest"
            )

    def _progress(self, part: Progress) -> None:
        self._check_position(part.position)
        if self.under_way.consumed(part.consumed, self._heard_at):
            self._moved_at = self._heard_at
        self.position, self.owed = part.position, part.owed
        self._telling.heard(part)

    # --- any thread

    def wake(self) -> None:
        """Something that the speaking thread may wait for has changed."""
        with self._condition:
            self._condition.notify_all()

    def close(self) -> None:
        """Ask the speaking thread to come to a clean end."""
        self._telling.ends()
        with self._condition:
            self.closing = True
            self._condition.notify_all()

    def end(self, failure: HikaeError | None = None) -> None:
        """The call is over; the first failure is kept."""
        with self._condition:
            self.failure = self.failure or failure
            self._over = True
            self._condition.notify_all()

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self._over

    @property
    def patches(self) -> bool:
        """Whether the peer takes patches."""
        return self.welcome is not None and self.welcome.patches

    def now(self) -> float:
        """Monotonic seconds, by the clock of the call."""
        return self._clock.monotonic()

    def watch(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for the end; True when it came. Ends the call itself when a deadline
        passes."""
        with self._condition:
            self._condition.wait_for(lambda: self._over, timeout)
            if not self._over:
                late = self._late()
                if late is not None:
                    self.failure, self._over = late, True
                    self._condition.notify_all()
            return self._over

    # --- the speaking thread

    def wait(self, ready: Callable[[], bool]) -> Iterator[Batch]:
        """Until ``ready()``, which is called under the lock; heartbeats meanwhile. Raises ``Ended``."""
        while True:
            with self._condition:
                if not ready():
                    self._condition.wait_for(lambda: self._over or ready() or self._has_news, _TICK)
                if self._over:
                    raise Ended
                if ready():
                    return
            yield from self.breathe()

    def breathe(self) -> Iterator[Batch]:
        """A heartbeat if one is due, or there is news. Raises ``Ended``. To be called at least every second by whoever waits
        elsewhere."""
        if self._over:
            raise Ended
        if self._has_news or self._clock.monotonic() - self._spoke_at >= HEARTBEAT:
            yield self._spoken((self._heartbeat(),))
        if self.welcome is not None and self._announcing is not None and self._announcing.waits:
            yield self._spoken((self._announce(self._announcing),))

    def _announce(self, announcing: Announcing) -> Announce:
        """What waits for the peer; by its count alone where the link has no room for names."""
        word = announcing.due()
        with self._condition:
            size, flight = weight((word,)), self.under_way
            if size and not flight.may_go(size):
                word, size = replace(word, paths=(), sizes=(), all=False), 0
            flight.said((word,), size, 0, self._clock.monotonic())
        return word

    @property
    def _has_news(self) -> bool:
        """Whether the peer is to be told now how the dataset stands here."""
        return self.welcome is not None and (bool(self._reached) or self._telling.waits)

    def _heartbeat(self) -> Heartbeat:
        if self.welcome is None:
            return Heartbeat(self._clock.monotonic())
        barrier = self._reached.popleft() if self._reached else None
        return Heartbeat(self._clock.monotonic(), self._telling.due(), self._telling.clock(), barrier)

    def rest(self, seconds: float) -> Iterator[Batch]:
        """Let so much time pass, less when the call is to close. Raises ``Ended``."""
        with self._condition:
            self._condition.wait_for(lambda: self._over or self.closing, seconds)
        yield from self.breathe()

    def say(self, batch: Batch) -> Iterator[Batch]:
        """Send, once the credit and the pace allow it. Raises ``Ended``."""
        if not batch:
            return
        if self._has_news:
            yield (self._heartbeat(),)
        if self._announcing is not None and self._announcing.waits:
            yield (self._announce(self._announcing),)
        size, raw, flight = weight(batch), raw_weight(batch), self.under_way
        flight.saying(raw)
        if self._over or not flight.may_go(size):
            yield from self.wait(lambda: flight.may_go(size))
        if size and self._pace is not None:
            yield from self._turn(self._pace, size)
        with self._condition:
            self._asked_at = self._clock.monotonic()
            if not flight.size:
                self._moved_at = self._asked_at
            flight.said(batch, size, raw, self._asked_at)
        yield self._spoken(batch)

    def drained(self) -> Iterator[Batch]:
        """Wait until the peer has worked off all that was sent, or the call is closing; it is asked to say so at once. Raises
        ``Ended``."""
        if self.under_way.size:
            yield self._spoken((self._heartbeat(),))
        yield from self.wait(lambda: not self.under_way.size or self.closing)

    def _turn(self, pace: Pace, size: int) -> Iterator[Batch]:
        """Wait until ``size`` bytes may go, in small steps: heartbeats go on, and limits that were changed are seen.

        A call that is to close does not wait for hours to come: it ends, and the next one sends what was not sealed."""
        while seconds := pace.take(size):
            self._paced = True
            if self.closing:
                self.end()
                raise Ended
            with self._condition:
                self._condition.wait_for(lambda: self._over or self.closing, min(seconds, _TICK))
            yield from self.breathe()
        self._paced = False

    def answer(self, question: int) -> Iterator[Batch]:
        """Wait until it is there. Raises ``Ended``."""
        yield from self.wait(lambda: self.unanswered.is_answered(question))

    def _spoken(self, batch: Batch) -> Batch:
        self._spoke_at = self._clock.monotonic()
        self._words.told(len(batch))
        return batch

    def _late(self) -> Unreachable | None:
        now = self._clock.monotonic()
        if now - self._heard_at > SILENCE:
            return self._stuck(f"nothing was heard for {SILENCE:.0f} s")
        if self.under_way.size and now - self._moved_at > STANDSTILL:
            return self._stuck(f"nothing was taken for {STANDSTILL:.0f} s although data is under way")
        if self.unanswered and not self._paced and now - max(self._asked_at, self._moved_at) > STANDSTILL:
            return self._stuck(f"it has not said for {STANDSTILL:.0f} s what it lacks of what it was offered")
        return None

    def _stuck(self, reason: str) -> Unreachable:
        remedy = "look at the agent there: hikae status on that node; the connection is made anew"
        return Unreachable("replicate", self.peer, reason, remedy)
