"""Bring a peer from its commit to ours, while the source goes on changing.

A round offers the difference between the peer's commit and the newest one, rows with their chunk names, and answers what is
needed from the source as it is now. Chunks that have changed there since were captured again, or will be (`force`): what cannot
be read is left out (`owing`), else the rows are withdrawn, what capture read is sent from the live queue, and the next round
offers newer rows. Chunks that arrived stay, so a second round is mostly rows. When the live queue fills meanwhile, its chunks
are sent between the offers and its rows are dropped: a further, shorter round will offer them. When rounds do not shrink
(`rounds`), the rest goes by the spool (`spooled`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from agent.capture.outlet import Lack
from agent.capture.tickets import CalledOff
from agent.chunking.references import by_bytes, row_references
from agent.core.chunks import DATA, ChunkRef
from agent.core.clock import Clock
from agent.core.commit import Changes, Commit
from agent.core.errors import TryAgain
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.rows import OBJECT_TAG, is_object, size_of, tag_of
from agent.stream.messages import NAMES_TARGET, RAW, ROWS_TARGET, Batch, Offer, Withdraw
from agent.stream.packing import implied_names, pack_rows
from agent.stream.rows_blob import blobs_of
from agent.stream.sending import live
from agent.stream.sending.batch_builder import Load
from agent.stream.sending.call import Conversation
from agent.stream.sending.feed import LiveCommit, PeerQueue
from agent.stream.sending.owed_by_peer import Absences
from agent.stream.sending.rounds import Fruitless, Rounds, Stalled
from agent.stream.sending.source import PendingMark, Source

_QUESTIONS_MAX = 16
_CHANGED_MAX = 100_000
_DRAIN_BYTES = 8 << 20
_TICKET_WAIT = 0.5
_REST = 0.1
#: What is the matter with files, see ``Stalled``.
NOT_READ = "cannot be read as captured"
NOT_CAPTURED = "must be captured again, and that does not come to an end"
#: Looking at so many rows takes about half a second.
_BACKLOG_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class _Question:
    """An offer whose answer is due: of names, or of ``rows`` of a whole."""

    id: int
    refs: Sequence[ChunkRef] = ()
    rows: Sequence[bytes] = ()


class Catchup:
    """One peer's way to now. Used by the speaking thread; every method that sends is a generator of batches.

    ``base`` is the commit that the peer has; it rises with every seal, and ``consistent`` says whether the last one was;
    ``absent`` whether any went without something that could not be read. ``rounds`` is told how each round went; ``todo``:
    bytes that the round is about and has not come to; ``since``: what ``given`` said when its commit was chosen. ``compact``:
    the peer takes packed rows and implied names. ``asks_first``: it may have any content already, so what the queue holds is
    dropped and read again where it is lacking. ``whole``: ``base`` is not known here any more, so the first round offers all
    rows, and then the names of those that the peer has not as they are."""

    def __init__(
        self,
        talk: Conversation,
        source: Source,
        queue: PeerQueue,
        base: CommitNumber,
        rounds: Rounds,
        clock: Clock,
        given: Callable[[], int] = lambda: 0,
        *,
        compact: bool = False,
        asks_first: bool = False,
        whole: bool = False,
    ) -> None:
        self.base = base
        self.consistent = False
        self.absent = False
        self.todo = 0
        self.since = given()
        self._given = given
        self._compact = compact
        self._asks_first = asks_first
        self._whole = whole
        self._talk = talk
        self._source = source
        self._queue = queue
        self._rounds = rounds
        self._clock = clock
        self._load = Load(talk.level, lambda: talk.message)
        self._questions: deque[_Question] = deque()
        self._changed: set[ObjectId] = set()
        self._absences = Absences()
        self._target = NOTHING
        self._drained = NOTHING
        self._rows = self._moved = self._unread = 0

    @property
    def unsaid(self) -> int:
        """Bytes, in the clear, that are gathered for the next batch."""
        return self._load.raw

    def run(self) -> Iterator[Batch]:
        """Until the queue goes on where ``base`` is, or it has overflowed or been given up, or the call is closing.

        Raises ``Ended``, ``TryAgain``, ``Stalled``, ``NotFound`` (history is pruned)."""
        while not self._is_over():
            since = self._given()
            newest = self._source.newest()
            target = newest.number if newest else NOTHING
            if newest is None or target == self.base:
                self._rounds.nothing_left()
                return
            self.todo, self.since = backlog(self._source, NOTHING if self._whole else self.base, newest), since
            begun = self._clock.monotonic()
            yield from self._round(newest)
            if self._talk.closing:
                return
            self._rounds.direct(self._moved, self._unread, self._clock.monotonic() - begun)
            if self._unread and not self._moved:
                yield from rest_fruitless(self._talk, self._source, self._rounds, self._changed)
            if self._rounds.by_spool:
                self._queue.give_up()
            elif self._changed:
                yield from self._capture_again()
            elif self._drained <= self.base:
                return

    def _is_over(self) -> bool:
        return self._talk.closing or self._queue.overflowed

    def mend(self) -> Iterator[Batch]:
        """Offer every chunk name of the newest commit to a peer that has lost some, and no rows; what has changed since is left
        out. Raises ``Ended``."""
        newest = self._source.newest()
        if newest is None:
            return
        refs: list[ChunkRef] = []
        for rows in self._source.difference(NOTHING, newest.number):
            for ref in (ref for _, _, new in rows if new is not None for ref in self._all_references(new)):
                refs.append(ref)
                if len(refs) >= NAMES_TARGET:
                    yield from self._offer(newest.number, Changes(), refs)
                    refs = []
            if self._talk.closing:
                break
        yield from self._offer(newest.number, Changes(), refs)
        while self._questions:
            yield from self._answer(self._questions.popleft())
        self._changed.clear()
        self._load.part(Withdraw(newest.number))
        yield from self._talk.say(self._load.take())

    def _all_references(self, new: bytes) -> Iterator[ChunkRef]:
        return row_references(None, new, self._source.piece)

    def _round(self, newest: Commit) -> Iterator[Batch]:
        """Offer the difference up to ``newest``; seal it, or withdraw it when content is missing."""
        self._changed.clear()
        self._absences.clear()
        self._target = newest.number
        self._rows = self._moved = self._unread = 0
        yield from self._offer_all(newest) if self._whole else self._offer_difference(newest)
        while self._questions:
            yield from self._answer(self._questions.popleft())
        yield from self._end_round(newest)
        self.todo = 0

    def _offer_difference(self, newest: Commit) -> Iterator[Batch]:
        puts: list[bytes] = []
        drops: list[bytes] = []
        refs: list[ChunkRef] = []
        size = 0
        for rows in self._source.difference(self.base, newest.number):
            for key, old, new in rows:
                if new is None:
                    drops.append(key)
                    size += len(key)
                else:
                    puts.append(new)
                    size += len(new)
                    if tag_of(new) == OBJECT_TAG:
                        for ref in row_references(old, new, self._source.piece):
                            refs.append(ref)
                            if len(refs) >= 2 * NAMES_TARGET:
                                yield from self._offer(newest.number, Changes(), refs)
                                refs = []
                if size >= ROWS_TARGET or len(refs) >= NAMES_TARGET:
                    yield from self._offer(newest.number, Changes(puts, drops), refs)
                    puts, drops, refs, size = [], [], [], 0
            if self._talk.closing:
                self._questions.clear()
                break
        else:
            yield from self._offer(newest.number, Changes(puts, drops), refs)

    def _offer_all(self, newest: Commit) -> Iterator[Batch]:
        """All rows, in the order of their keys; the peer says which of them it has not as they are."""
        rows: list[bytes] = []
        size = 0
        for some in self._source.difference(NOTHING, newest.number):
            for _, _, row in some:
                if row is not None:
                    rows.append(row)
                    size += len(row)
                if size >= ROWS_TARGET or len(rows) >= NAMES_TARGET:
                    yield from self._offer_rows(newest.number, rows)
                    rows, size = [], 0
            if self._talk.closing:
                self._questions.clear()
                return
        yield from self._offer_rows(newest.number, rows)

    def _offer_rows(self, number: CommitNumber, rows: Sequence[bytes]) -> Iterator[Batch]:
        at = 0
        for count, blob in blobs_of(Changes(rows), 2 * ROWS_TARGET):
            question = self._talk.question(count)
            self._load.part(self._offer_of(question, number, blob, whole=True))
            self._questions.append(_Question(question, rows=rows[at : at + count]))
            at += count
            self._rows += count
            yield from self._talk.say(self._load.take())
        yield from self._due()

    def _end_round(self, newest: Commit) -> Iterator[Batch]:
        if self._changed or self._talk.closing:
            self._load.part(Withdraw(newest.number))
        else:
            fuzzy = self._source.fuzzy(self.base, newest.number)
            self._tell_absences()
            absent = self._absences.told
            self._load.part(live.seal_of(newest, self.base, self._rows, fuzzy, absent))
            self.absent = self.absent or absent > 0
            self.base, self.consistent, self._whole = newest.number, newest.consistent, False
        self._target = NOTHING
        yield from self._talk.say(self._load.take())

    def _tell_absences(self) -> None:
        for part in self._absences.parts(self._target, self.base):
            self._load.part(part)

    def _offer(self, number: CommitNumber, changes: Changes, refs: Sequence[ChunkRef]) -> Iterator[Batch]:
        """Rows, the names that they need, and then as many answers as are due."""
        blobs = list(blobs_of(changes, 2 * ROWS_TARGET))
        for count, blob in blobs[:-1]:
            self._rows += count
            self._load.part(self._offer_of(0, number, blob))
            yield from self._talk.say(self._load.take())
        count, blob = blobs[-1] if blobs else (0, b"")
        self._rows += count
        if blob or refs:
            question = self._talk.question(len(refs)) if refs else 0
            asked = tuple((ref.kind, ref.name) for ref in refs)
            implied = self._compact and len(blobs) == 1 and bool(asked) and asked == implied_names(changes.puts)
            self._load.part(self._offer_of(question, number, blob, () if implied else asked, implied))
            if refs:
                self._questions.append(_Question(question, refs))
            yield from self._talk.say(self._load.take())
        yield from self._due()

    def _due(self) -> Iterator[Batch]:
        """As many answers as are due, and room in the queue."""
        while self._questions and (len(self._questions) > _QUESTIONS_MAX or self._talk.answered(self._questions[0].id)):
            yield from self._answer(self._questions.popleft())
        if not self._queue.has_room:
            yield from self._drain(drop=self._asks_first)

    def _offer_of(
        self,
        question: int,
        number: CommitNumber,
        blob: bytes,
        asked: tuple[tuple[int, bytes], ...] = (),
        implied: bool = False,
        whole: bool = False,
    ) -> Offer:
        codec, rows = pack_rows(blob) if self._compact else (RAW, blob)
        length = 0 if codec == RAW else len(blob)
        return Offer(question, number, self.base, rows, asked, codec, length, implied, whole)

    def _answer(self, question: _Question) -> Iterator[Batch]:
        """Read and send what the peer lacks; note the objects whose bytes have changed."""
        yield from self._talk.answer(question.id)
        if question.rows:
            yield from self._ask_for(question)
            return
        refs = [question.refs[index] for index in self._talk.take_answer(question.id)]
        here = sum(ref.length for ref in question.refs if ref.kind == DATA) - sum(
            ref.length for ref in refs if ref.kind == DATA
        )
        self.todo = max(0, self.todo - here)
        for some in by_bytes(refs):
            for ref, data in zip(some, self._source.read(some), strict=True):
                if ref.kind == DATA:
                    self.todo = max(0, self.todo - ref.length)
                if isinstance(data, Lack):
                    self._lacks(ref, data)
                    continue
                self._moved += len(data)
                self._load.chunk(ref.kind, ref.name, data)
                if self._load.full:
                    yield from self._talk.say(self._load.take())
        if self._absences.due:
            self._tell_absences()
        yield from self._talk.say(self._load.take())

    def _ask_for(self, question: _Question) -> Iterator[Batch]:
        """Offer the names of the rows that the peer has not as they are; of the others it has all content."""
        changed = set(self._talk.take_answer(question.id))
        has = sum(size_of(row) for index, row in enumerate(question.rows) if index not in changed)
        self.todo = max(0, self.todo - has)
        refs: list[ChunkRef] = []
        for index in sorted(changed):
            row = question.rows[index]
            for ref in self._all_references(row) if is_object(row) else ():
                refs.append(ref)
                if len(refs) >= NAMES_TARGET:
                    yield from self._offer(NOTHING, Changes(), refs)
                    refs = []
        yield from self._offer(NOTHING, Changes(), refs)

    def _lacks(self, ref: ChunkRef, lack: Lack) -> None:
        """Outside a round (``mend``) no commit is on its way, and what cannot be read goes on to lack."""
        if self._target == NOTHING or self._absences.takes(ref, lack):
            return
        self._unread += max(1, ref.length)
        if len(self._changed) < _CHANGED_MAX:
            self._changed.add(ref.object)

    def _capture_again(self) -> Iterator[Batch]:
        """Wait until what changed is captured; its bytes lie in the queue then, and go out."""
        asked = frozenset(self._changed)
        self._changed.clear()
        ticket, fruit, sent = self._source.force(tuple(asked)), Fruitless(), self._talk.sent
        while not has_passed(ticket):
            yield from self._talk.breathe()
            if self._talk.closing:
                return
            if not self._queue.has_room:
                yield from self._drain()
            if self._talk.sent != sent:
                sent = self._talk.sent
                fruit.brought()
            elif fruit.nothing(self._talk.now()):
                raise Stalled.by_files(self._talk.peer, self._source, asked, NOT_CAPTURED)
        yield from self._drain()

    def _drain(self, *, drop: bool = False) -> Iterator[Batch]:
        """Send the chunks of all that waits in the queue, and drop its rows. ``drop``: the chunks too, they are read again."""
        while items := self._queue.take(_DRAIN_BYTES):
            had = (
                None
                if drop
                else (yield from live.ask_for_missing(self._talk, self._load, items, everything=self._asks_first))
            )
            for item in items:
                if had is not None:
                    yield from live.put_chunks(self._talk, self._load, item, had)
                if isinstance(item, LiveCommit):
                    self._drained = max(self._drained, item.commit.number)
            yield from self._talk.say(self._load.take())


def rest_fruitless(talk: Conversation, source: Source, rounds: Rounds, unread: Collection[ObjectId]) -> Iterator[Batch]:
    """A round brought nothing, for these objects: the next one need not come at once. Raises ``Stalled`` when that goes on."""
    if rounds.fruitless.nothing(talk.now()):
        raise Stalled.by_files(talk.peer, source, unread, NOT_READ)
    yield from talk.rest(_REST)


def has_passed(ticket: PendingMark) -> bool:
    """Whether it has come through; waits so briefly that heartbeats go on. Raises ``CalledOff``: nobody will see to it."""
    try:
        ticket.wait(_TICKET_WAIT)
    except CalledOff:
        raise
    except TryAgain:
        return False
    return True


def backlog(source: Source, base: CommitNumber, newest: Commit) -> int:
    """About how many bytes of content a peer at ``base`` lacks; of a difference with very many rows, at least so many."""
    if base == NOTHING:
        return newest.bytes
    total = looked = 0
    for rows in source.difference(base, newest.number):
        for _, old, new in rows:
            if new is not None:
                total += sum(ref.length for ref in row_references(old, new, source.piece) if ref.kind == DATA)
        looked += len(rows)
        if looked >= _BACKLOG_ROWS:
            break
    return total
