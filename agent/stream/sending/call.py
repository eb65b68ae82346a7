"""What the two threads of a call on the primary share: credit, questions in flight, deadlines, and the end.

One thread speaks (the request iterator), one hears (the answers), a third may watch the deadlines.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from agent.core.clock import Clock
from agent.core.commit import Position
from agent.core.errors import HikaeError, Refused, Unreachable
from agent.core.ids import NOTHING, CommitNumber, shown_commit
from agent.core.problem import ProblemCode
from agent.core.problem_codes import (
    BUSY,
    DAMAGED,
    DIGEST_DIFFERS,
    DISK_RESERVE,
    EPOCH_NOT_OWN,
    EPOCH_TOO_HIGH,
    FAILED,
    IDENTITY,
    KIND_DIFFERS,
    NOT_PRIMARY,
    NOT_STANDBY,
    PROTOCOL,
    REFUSED,
    SILENT,
    STALE_EPOCH,
    STORE_FAILED,
    UNKNOWN_DATASET,
    VERSION,
)
from agent.stream.messages import (
    BATCH_TARGET,
    CREDIT,
    HEARTBEAT,
    SILENCE,
    Answers,
    Batch,
    Heartbeat,
    Need,
    Owing,
    Progress,
    Refuse,
    Seal,
    SecondaryPart,
    Sums,
    Welcome,
    bad,
)
from agent.stream.sending import effort
from agent.stream.sending.pace import Pace
from agent.stream.sending.window import BULK_SECONDS, MOST_SECONDS, InFlight
from agent.stream.sending.words import Words
from agent.stream.telling import Standings, Telling
from agent.stream.weights import raw_weight, weight

STANDSTILL = 60.0
_TICK = 1.0


#: Why a peer of this release may end a call.
_REASONS: Mapping[str, ProblemCode] = {
    str(code): code
    for code in (
        *(
            BUSY,
            DAMAGED,
            DIGEST_DIFFERS,
            DISK_RESERVE,
            EPOCH_NOT_OWN,
            EPOCH_TOO_HIGH,
            FAILED,
            IDENTITY,
            KIND_DIFFERS,
            NOT_PRIMARY,
        ),
        *(NOT_STANDBY, PROTOCOL, SILENT, STALE_EPOCH, STORE_FAILED, UNKNOWN_DATASET, VERSION),
    )
}


class RefusedByPeer(Refused):
    """The peer ended the call. ``code``: its word for why, ``refused`` for any that no peer would say: it becomes that of a
    problem, and must be none of ours. Nothing proves it, so nothing else may follow from it; what it says is to be done is
    shown as its word."""

    def __init__(self, peer: str, refuse: Refuse) -> None:
        remedy = f"{refuse.remedy} (says {peer})" if refuse.remedy else ""
        super().__init__("replicate", peer, refuse.reason, remedy)
        self.code = _REASONS.get(refuse.code, REFUSED)


class Ended(Exception):
    """The call is over; why stands in ``Conversation.failure``. Only ever raised in the speaking thread."""


class Conversation:
    """The shared state of one call. ``pace``: how fast it may speak; None: as fast as it can. ``judge`` is called with the
    Welcome before anything else that the peer says is heard; what it raises ends the call. ``standings``: how the dataset
    stands on either side."""

    def __init__(
        self,
        peer: str,
        clock: Clock,
        pace: Pace | None = None,
        judge: Callable[[Welcome], None] = lambda _: None,
        standings: Standings | None = None,
    ) -> None:
        self.peer = peer
        self._judge = judge
        self.welcome: Welcome | None = None
        self.position = Position()
        self.failure: HikaeError | None = None
        self.closing = False
        #: How many objects the peer said that it owes.
        self.owed = 0
        self.owing: Owing | None = None
        self._asked_owed = False
        self.sums: Sums | None = None
        self._asked_sums = False
        self._clock = clock
        self._pace = pace
        self._telling = Telling(standings, peer, clock)
        self._words = Words(clock)
        self._condition = threading.Condition()
        self._over = False
        self._credit = CREDIT
        self._sent = self._raw = 0
        self._consumed = 0
        #: Of each batch under way, what was sent with it, by weight and in the clear; of what the peer has, in the clear.
        self._under_way: deque[tuple[int, int]] = deque()
        self._worked_raw = self._saying = 0
        self._sealed = NOTHING
        self._questions = 0
        self._open: dict[int, int] = {}
        self._needs: dict[int, tuple[int, ...]] = {}
        self._window = InFlight()
        now = clock.monotonic()
        self._heard_at = self._moved_at = self._spoke_at = self._asked_at = now
        self._paced = False

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
            self._credit = max(2 << 20, min(part.credit, CREDIT))
            self.position = Position(part.durable, part.applied)
            self.welcome, self.owed = part, part.owed
        elif self.welcome is None:
            raise bad("an answer before its welcome")
        elif isinstance(part, Need):
            self._need(part)
            self._asked_at = self._heard_at
        elif isinstance(part, Owing):
            if not self._asked_owed:
                raise bad("an answer to a question that was not asked")
            self._asked_owed, self.owing, self.owed = False, part, part.total
        elif isinstance(part, Sums):
            if not self._asked_sums:
                raise bad("sums that were not asked for")
            self._asked_sums, self.sums = False, part
            self._asked_at = self._heard_at
        elif isinstance(part, Progress):
            self._progress(part)

    def _need(self, part: Need) -> None:
        count = self._open.pop(part.offer, None)
        if count is None:
            raise bad("an answer to a question that was not asked")
        last = -1
        for index in part.indexes:
            if not last < index < count:
                raise bad("an answer whose indexes do not rise, or are not of the question")
            last = index
        self._needs[part.offer] = part.indexes

    def _check_position(self, said: Position) -> None:
        """A peer has what it had, up to what was sealed to it; of that it may have applied anything (law 6)."""
        known, most = self.position.durable, max(self.position.durable, self._sealed)
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
        if part.consumed > self._sent or part.consumed < self._consumed:
            raise bad("a count of bytes that is not what was sent")
        self._check_position(part.position)
        if part.consumed > self._consumed:
            self._moved_at = self._heard_at
        self._consumed = part.consumed
        while self._under_way and self._under_way[0][0] <= part.consumed:
            self._worked_raw = self._under_way.popleft()[1]
        self._window.worked_off(self._heard_at, part.consumed)
        self.position, self.owed = part.position, part.owed
        self._telling.heard(part)

    # --- any thread

    def wake(self) -> None:
        """Something that the speaking thread may wait for has changed."""
        with self._condition:
            self._condition.notify_all()

    def close(self) -> None:
        """Ask the speaking thread to come to a clean end."""
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

    @property
    def in_flight(self) -> int:
        """Bytes sent that the peer has not worked off."""
        return self._sent - self._consumed

    @property
    def bulk_credit(self) -> int:
        """How many bytes of content that waits for nothing may be under way: what the peer works off in half a second, so that a
        small edit does not wait longer behind them."""
        return min(self._credit, self._window.bytes(BULK_SECONDS))

    @property
    def moment(self) -> int | None:
        """Bytes that the link carries in half a second; None on a fast one."""
        return self._window.moment()

    @property
    def message(self) -> int:
        """Bytes that one batch should have: few on a slow link."""
        return self._window.message(BATCH_TARGET)

    @property
    def rate(self) -> float:
        """Bytes a second that the link carries; 0.0 before that is known."""
        return self._window.rate

    def level(self) -> int:
        """How hard chunks are to be packed now, see ``effort``."""
        return effort.level(self._window.rate, self.in_flight)

    @property
    def worked_off(self) -> int:
        """Bytes of content and rows, before compression, that the peer has worked off in this call."""
        return self._worked_raw

    @property
    def given_raw(self) -> int:
        """Bytes of content and rows, in the clear, that were handed to this call, also what waits for credit or pace."""
        return self._raw + self._saying

    @property
    def left_raw(self) -> int:
        """Of :attr:`given_raw`, what the peer has not worked off."""
        return self.given_raw - self._worked_raw

    def now(self) -> float:
        """Monotonic seconds, by the clock of the call."""
        return self._clock.monotonic()

    @property
    def sent(self) -> int:
        """Bytes sent in this call."""
        return self._sent

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

    @property
    def _has_news(self) -> bool:
        """Whether the peer is to be told now how the dataset stands here."""
        return self.welcome is not None and self._telling.waits

    def _heartbeat(self) -> Heartbeat:
        if self.welcome is None:
            return Heartbeat(self._clock.monotonic())
        return Heartbeat(self._clock.monotonic(), self._telling.due(), self._telling.clock())

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
        size, raw = weight(batch), raw_weight(batch)
        self._saying = raw
        if self._over or not self._may_go(size):
            yield from self.wait(lambda: self._may_go(size))
        if size and self._pace is not None:
            yield from self._turn(self._pace, size)
        with self._condition:
            self._asked_at = self._clock.monotonic()
            if not self.in_flight:
                self._moved_at = self._asked_at
            self._sent += size
            self._raw += raw
            self._saying = 0
            if size:
                self._under_way.append((self._sent, self._raw))
                self._window.sent(self._asked_at, self._sent)
            self._sealed = _last_seal(batch, self._sealed)
        yield self._spoken(batch)

    def _may_go(self, size: int) -> bool:
        """Whether a batch of ``size`` bytes may be under way too: the peer has memory for it, and the link is not busy for longer
        than it should be. One may always be, however large."""
        most = min(self._credit, self._window.bytes(MOST_SECONDS))
        return not self.in_flight or self.in_flight + size <= most

    def drained(self) -> Iterator[Batch]:
        """Wait until the peer has worked off all that was sent, or the call is closing; it is asked to say so at once. Raises
        ``Ended``."""
        if self.in_flight:
            yield self._spoken((self._heartbeat(),))
        yield from self.wait(lambda: not self.in_flight or self.closing)

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

    def question(self, count: int) -> int:
        """The id for an offer of ``count`` names; its answer will be kept for :meth:`answer`."""
        with self._condition:
            self._questions += 1
            self._open[self._questions] = count
            return self._questions

    def answered(self, question: int) -> bool:
        """Whether the answer is there."""
        return question in self._needs

    def answer(self, question: int) -> Iterator[Batch]:
        """Wait until it is there. Raises ``Ended``."""
        yield from self.wait(lambda: question in self._needs)

    def take_answer(self, question: int) -> tuple[int, ...]:
        """The indexes needed; once."""
        with self._condition:
            return self._needs.pop(question)

    def ask_sums(self) -> None:
        """A ``Sums`` is on its way; :attr:`sums` will be there."""
        self._asked_sums = True

    def take_sums(self) -> Sums:
        """The answer to it; once."""
        sums, self.sums = self.sums, None
        assert sums is not None
        return sums

    def ask_owed(self) -> None:
        """An ``AskOwed`` is on its way; :attr:`owing` will be there."""
        self._asked_owed = True

    def take_owing(self) -> Owing:
        """Its answer; once."""
        page, self.owing = self.owing, None
        assert page is not None
        return page

    def _spoken(self, batch: Batch) -> Batch:
        self._spoke_at = self._clock.monotonic()
        self._words.told(len(batch))
        return batch

    def _late(self) -> Unreachable | None:
        now = self._clock.monotonic()
        if now - self._heard_at > SILENCE:
            return self._stuck(f"nothing was heard for {SILENCE:.0f} s")
        if self.in_flight and now - self._moved_at > STANDSTILL:
            return self._stuck(f"nothing was taken for {STANDSTILL:.0f} s although data is under way")
        if (
            (self._open or self._asked_sums or self._asked_owed)
            and not self._paced
            and now - max(self._asked_at, self._moved_at) > STANDSTILL
        ):
            return self._stuck(f"it has not said for {STANDSTILL:.0f} s what it lacks of what it was offered")
        return None

    def _stuck(self, reason: str) -> Unreachable:
        remedy = "look at the agent there: hikae status on that node; the connection is made anew"
        return Unreachable("replicate", self.peer, reason, remedy)


def _last_seal(batch: Batch, before: CommitNumber) -> CommitNumber:
    """The newest commit that was sealed, by this batch or ``before`` it."""
    return next((part.number for part in reversed(batch) if isinstance(part, Seal)), before)
