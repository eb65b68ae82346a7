"""Bring a peer from its commit to ours, while the source goes on changing.

A round offers the difference between the peer's commit and the newest one, rows with their chunk names, and answers what is
needed from the source as it is now. Chunks that have changed there since were captured again, or will be (`force`): what cannot
be read is left out (`owing`), else the rows are withdrawn, what capture read is sent from the live queue, and the next round
offers newer rows. Chunks that arrived stay, so a second round is mostly rows. When the live queue fills meanwhile, its chunks
are sent between the offers and its rows are dropped: a further, shorter round will offer them. When rounds do not shrink
(`rounds`), the rest goes by the spool (`spool_round`).
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.chunking.references import row_references
from agent.core.chunks import ChunkRef
from agent.core.commit import Changes, Commit
from agent.core.ids import NOTHING, CommitNumber
from agent.core.rows import NAME_TAG, tag_of
from agent.stream.footing import Footing, Way
from agent.stream.messages import NAMES_TARGET, ROWS_TARGET, Batch, Withdraw
from agent.stream.sending import live
from agent.stream.sending.asking import Asking
from agent.stream.sending.feed import LiveCommit
from agent.stream.sending.locating import Beginning, begun
from agent.stream.sending.offering import Offering
from agent.stream.sending.round import NOT_CAPTURED, RoundContext, backlog, has_passed, rest_fruitless
from agent.stream.sending.rounds import Fruitless, Rounds, Stalled

_QUESTIONS_MAX = 16
_DRAIN_BYTES = 8 << 20


class Catchup:
    """One peer's way to now; a ``Round``, and as many as it takes. Used by the speaking thread; every method that sends is a
    generator of batches.

    ``footing``: from where the peer is brought on, that of the newest seal from then on; ``consistent`` says whether that was;
    ``absent`` whether any went without something that could not be read. ``rounds`` is told how each round went; ``since``: what
    ``given`` said when its commit was chosen."""

    def __init__(self, context: RoundContext, footing: Footing, rounds: Rounds) -> None:
        self.footing = footing
        self.consistent = False
        self.absent = False
        self.since = context.given()
        self._context = context
        self._talk = context.talk
        self._source = context.source
        self._queue = context.queue
        self._rounds = rounds
        self._asking = Asking(context.talk, _QUESTIONS_MAX)
        self._offering = Offering(context, self._asking, self._room)
        self._drained = NOTHING
        self._is_counted = False

    @property
    def base(self) -> CommitNumber:
        """The commit that the peer has."""
        return self.footing.base

    @property
    def todo(self) -> int | None:
        """Bytes that the round is about and has not come to; None before they were counted."""
        return self._offering.todo if self._is_counted else None

    @property
    def unsaid(self) -> int:
        """See ``Round``."""
        return self._asking.unsaid

    def run(self) -> Iterator[Batch]:
        """Until the queue goes on where ``base`` is, or it has overflowed or been given up, or the call is closing.

        Raises ``Ended``, ``TryAgain``, ``Stalled``, ``NotFound`` (history is pruned)."""
        offering, rounds = self._offering, self._rounds
        while not self._is_over():
            since = self._context.given()
            newest = self._source.newest()
            self._queue.passed_over()
            if newest is None or newest.number == self.base:
                rounds.nothing_left()
                return
            offering.todo, self.since = backlog(self._source, self.footing.start, newest), since
            self._queue.settled(newest.number)
            self._is_counted = True
            begun = self._talk.now()
            yield from self._round(newest)
            if self._talk.closing:
                return
            rounds.direct(offering.moved, offering.unread, self._talk.now() - begun)
            if offering.unread and not offering.moved:
                yield from rest_fruitless(self._talk, self._source, rounds, offering.changed)
            if rounds.by_spool:
                self._queue.give_up()
            elif offering.changed:
                yield from self._capture_again()
            elif self._drained <= self.base:
                return

    def mend(self) -> Iterator[Batch]:
        """Offer every chunk name of the newest commit to a peer that has lost some, and no rows; what has changed since is left
        out. Raises ``Ended``."""
        newest = self._source.newest()
        if newest is None:
            return
        refs: list[ChunkRef] = []
        for rows in self._source.difference(NOTHING, newest.number):
            yield from self._talk.breathe()
            for ref in (ref for _, _, new in rows if new is not None for ref in self._offering.references(new)):
                refs.append(ref)
                if len(refs) >= NAMES_TARGET:
                    yield from self._offering.offer(Changes(), refs)
                    refs = []
            if self._talk.closing:
                break
        yield from self._offering.offer(Changes(), refs)
        yield from self._offering.answers()
        yield from self._asking.put(Withdraw(newest.number))

    def _is_over(self) -> bool:
        return self._talk.closing or self._queue.overflowed

    def _round(self, newest: Commit) -> Iterator[Batch]:
        """Offer what makes the peer's state that of ``newest``; seal it, or withdraw it when content is missing."""
        beginning = yield from begun(self._talk, self._source, self._asking, self.footing, newest)
        self.footing = beginning.footing
        self._offering.begin(newest.number, self.base)
        yield from self._offer_all(newest, beginning) if beginning.whole else self._offer_difference(newest)
        if self._talk.closing:
            self._asking.forget()
        yield from self._offering.answers()
        yield from self._end_round(newest)

    def _offer_difference(self, newest: Commit) -> Iterator[Batch]:
        puts: list[bytes] = []
        drops: list[bytes] = []
        refs: list[ChunkRef] = []
        size = 0
        offer = self._offering.offer
        for rows in self._source.difference(self.footing.start, newest.number):
            for key, old, new in rows:
                if new is None:
                    drops.append(key)
                    size += len(key)
                else:
                    puts.append(new)
                    size += len(new)
                    if tag_of(new) != NAME_TAG:
                        for ref in row_references(old, new, self._source.piece):
                            refs.append(ref)
                            if len(refs) >= 2 * NAMES_TARGET:
                                yield from offer(Changes(), refs)
                                refs = []
                if size >= ROWS_TARGET or len(refs) >= NAMES_TARGET:
                    yield from offer(Changes(puts, drops), refs)
                    puts, drops, refs, size = [], [], [], 0
            if self._talk.closing:
                return
        yield from offer(Changes(puts, drops), refs)

    def _offer_all(self, newest: Commit, beginning: Beginning) -> Iterator[Batch]:
        """All rows that are to be told, in the order of their keys; the peer says which of them it has not as they are."""
        rows: list[bytes] = []
        size = 0
        for some in self._source.difference(NOTHING, newest.number):
            # Of a great tree in which little differs nothing else may be said for long.
            yield from self._talk.breathe()
            for _, _, row in some:
                if row is not None and beginning.has(row):
                    rows.append(row)
                    size += len(row)
                if size >= ROWS_TARGET or len(rows) >= NAMES_TARGET:
                    yield from self._offering.offer_rows(rows)
                    rows, size = [], 0
            if self._talk.closing:
                return
        yield from self._offering.offer_rows(rows)

    def _end_round(self, newest: Commit) -> Iterator[Batch]:
        offering = self._offering
        left = 0
        if offering.changed or self._talk.closing:
            left = offering.todo + offering.unread
            yield from self._asking.put(Withdraw(newest.number))
        else:
            offering.tell_absences()
            absent = offering.absences.told
            fuzzy = self._source.fuzzy(self.base, newest.number)
            seal = live.seal_of(newest, self.base, offering.rows, fuzzy, absent)
            self.absent = self.absent or absent > 0
            self.footing, self.consistent = Footing(newest.number, Way.ON), newest.consistent
            yield from self._asking.put(seal)
        offering.over(left)

    def _capture_again(self) -> Iterator[Batch]:
        """Wait until what changed is captured; its bytes lie in the queue then, and go out."""
        asked = frozenset(self._offering.changed)
        self._offering.changed.clear()
        ticket, fruit, sent = self._source.force(tuple(asked)), Fruitless(), self._talk.under_way.sent
        while not has_passed(ticket):
            yield from self._talk.breathe()
            if self._talk.closing:
                return
            if not self._queue.has_room:
                yield from self._drain()
            if self._talk.under_way.sent != sent:
                sent = self._talk.under_way.sent
                fruit.brought()
            elif fruit.nothing(self._talk.now()):
                raise Stalled.by_files(self._talk.peer, self._source, asked, NOT_CAPTURED)
        yield from self._drain()

    def _room(self) -> Iterator[Batch]:
        """Room in the live queue, between two offers."""
        if not self._queue.has_room:
            yield from self._drain(drop=self._context.asks_first)

    def _drain(self, *, drop: bool = False) -> Iterator[Batch]:
        """Send the chunks of all that waits in the queue, and drop its rows. ``drop``: the chunks too, they are read again."""
        load, everything = self._asking.load, self._context.asks_first
        while items := self._queue.take(_DRAIN_BYTES):
            if drop:
                self._queue.dropped(items)
            had = None if drop else (yield from live.ask_for_missing(self._talk, load, items, everything=everything))
            for item in items:
                if had is not None:
                    yield from live.put_chunks(self._talk, load, item, had)
                if isinstance(item, LiveCommit):
                    self._drained = max(self._drained, item.commit.number)
            yield from self._asking.flush()
