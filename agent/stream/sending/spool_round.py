"""One round by the spool: for a peer whose link is slower than its files change.

::

    gather   ask what the peer lacks of everything between its commit and ours, and read that into the spool at the pace of our
             own disk. Capture writes what it reads meanwhile there too. What had changed before it was read is captured again:
             its new bytes are in the spool, and the rows that changed since are looked at in turn, until nothing is lacking
    ship     the rows of that commit and the chunks that the peer lacks, from the spool, at the link's pace; then the seal

However slowly it ships, the bytes sent are those that the rows name. What is captured while it ships is the next round's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from agent.capture.outlet import Lack
from agent.chunking.references import by_bytes, row_references
from agent.core.chunks import ChunkRef
from agent.core.commit import Changes, Commit
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.rows import key_is_object, object_id_of_key
from agent.store.spool import Spool
from agent.stream.messages import NAMES_TARGET, ROWS_TARGET, Batch, Offer, Withdraw
from agent.stream.rows_blob import blobs_of
from agent.stream.sending import live
from agent.stream.sending.batch_builder import Load
from agent.stream.sending.call import Conversation
from agent.stream.sending.catchup import NOT_CAPTURED, backlog, has_passed
from agent.stream.sending.feed import PeerQueue
from agent.stream.sending.owed_by_peer import Absences
from agent.stream.sending.rounds import Fruitless, Stalled
from agent.stream.sending.source import PendingMark, Source

#: Every pass but the first looks only at what changed during the one before, at the pace of a local disk.
_PASSES_MAX = 8
_QUESTIONS_MAX = 8


@dataclass(frozen=True, slots=True)
class _Question:
    """Names whose answer is due."""

    id: int
    refs: Sequence[ChunkRef]


class SpooledRound:
    """Used by the speaking thread, once; :meth:`run` is a generator of batches.

    ``queue`` must have been attached with ``spool`` and before anything here is read; it is given up as soon as all is gathered.
    ``base``: the commit that the peer has, raised by the seal; ``whole``: it is not known here, so all rows go;
    ``moved``: bytes shipped; ``sealed``: whether it came to its end; ``absent``: whether it went without something that could
    not be read; ``stuck``: what had changed however often it was captured again, although there was room; ``todo``: bytes that
    the peer lacks, as far as known; ``since``: what ``given`` said when its commit was chosen."""

    def __init__(
        self,
        talk: Conversation,
        source: Source,
        queue: PeerQueue,
        spool: Spool,
        base: CommitNumber,
        given: Callable[[], int] = lambda: 0,
        *,
        whole: bool = False,
    ) -> None:
        self.base = base
        self._whole = whole
        #: What the peer's rows are compared with.
        self._from = NOTHING if whole else base
        self.since = given()
        self._given = given
        self.moved = 0
        self.sealed = False
        self.stuck: frozenset[ObjectId] = frozenset()
        self.absent = False
        self.todo = 0
        self._talk = talk
        self._source = source
        self._queue = queue
        self._spool = spool
        self._load = Load(talk.level, lambda: talk.message)
        self._questions: list[_Question] = []
        #: What the peer said that it lacks, by name with its kind; of that, what could not be read; and the objects that named
        #: it, of which some were looked at again in this pass.
        self._lacking: dict[bytes, int] = {}
        self._unread: set[bytes] = set()
        self._unmet: set[ObjectId] = set()
        self._again: set[ObjectId] = set()
        self._absences = Absences()

    @property
    def unsaid(self) -> int:
        """Bytes, in the clear, that are gathered for the next batch."""
        return self._load.raw

    def run(self) -> Iterator[Batch]:
        """Gather and ship; when it does not fit the spool, ship what does, without a seal: the peer keeps it.

        Raises ``Ended``, ``TryAgain``, ``Stalled``, ``NotFound`` (history is pruned), ``StoreFailed``."""
        target = yield from self._gather()
        self._queue.give_up()
        if self._talk.closing:
            return
        if target is not None:
            yield from self._ship(target)
        else:
            yield from self._ship_unsealed()

    # --- gather

    def _gather(self) -> Generator[Batch, None, Commit | None]:
        """The commit of which everything that lacks is in the spool; None when it does not all fit."""
        at = self._from
        for _ in range(_PASSES_MAX):
            self.since = self._given()
            newest = self._source.newest()
            if newest is None:
                return None
            before = set(self._unmet)
            self._again.clear()
            yield from self._pass(at, newest.number)
            if self._talk.closing or self._full:
                return None
            if not self._unmet:
                return newest
            # What could not be read and has no newer row is asked for again with all the rest.
            at = newest.number if before <= self._again else self._from
            yield from self._captured(self._source.force(tuple(self._unmet)))
        self.stuck = frozenset(self._unmet)
        return None

    @property
    def _full(self) -> bool:
        return self._queue.overflowed or self._spool.full or len(self._lacking) > self._spool.most

    def _pass(self, at: CommitNumber, upto: CommitNumber) -> Iterator[Batch]:
        """Ask for what every row that changed in ``(at, upto]`` names, and spool what lacks."""
        refs: list[ChunkRef] = []
        for rows in self._source.difference(at, upto):
            for key, old, new in rows:
                for ref in self._references(key, old, new):
                    refs.append(ref)
                    if len(refs) >= NAMES_TARGET:
                        yield from self._ask(refs)
                        refs = []
            yield from self._talk.breathe()
            if self._talk.closing or self._full:
                return
        yield from self._ask(refs)
        while self._questions:
            yield from self._answer()

    def _references(self, key: bytes, old: bytes | None, new: bytes | None) -> Iterator[ChunkRef]:
        """What a row names and the row before it did not, unless that one was never whole."""
        if not key_is_object(key):
            return
        id = object_id_of_key(key)
        if id in self._unmet:
            self._unmet.discard(id)
            self._again.add(id)
            old = None
        if new is not None:
            yield from row_references(old, new, self._source.piece)

    def _ask(self, refs: Sequence[ChunkRef]) -> Iterator[Batch]:
        if refs:
            question = self._talk.question(len(refs))
            self._questions.append(_Question(question, refs))
            self._load.part(Offer(question, NOTHING, NOTHING, asked=tuple((ref.kind, ref.name) for ref in refs)))
            yield from self._talk.say(self._load.take())
        while self._questions and (len(self._questions) > _QUESTIONS_MAX or self._talk.answered(self._questions[0].id)):
            yield from self._answer()

    def _answer(self) -> Iterator[Batch]:
        question = self._questions.pop(0)
        yield from self._talk.answer(question.id)
        wanted = set(self._talk.take_answer(question.id))
        # A name is wanted once: whoever names it too must still know that it could not be read.
        refs = [ref for at, ref in enumerate(question.refs) if at in wanted or ref.name in self._unread]
        for some in by_bytes(refs):
            if self._full:
                return
            self._keep(some)
            yield from self._talk.breathe()

    def _keep(self, refs: Sequence[ChunkRef]) -> None:
        """Bring into the spool what is not there, as far as it can still be read."""
        for ref in refs:
            if ref.name not in self._lacking:
                self._lacking[ref.name] = ref.kind
                self.todo += ref.length
        absent = [ref for ref in refs if ref.name not in self._spool]
        found = []
        for ref, data in zip(absent, self._source.read(absent), strict=True):
            if isinstance(data, bytes):
                found.append((ref.name, ref.kind, data))
            elif ref.name not in self._spool:
                self._lacks(ref, data)
        self._spool.add(found)
        self._unread.difference_update(name for name, _, _ in found)

    def _lacks(self, ref: ChunkRef, lack: Lack) -> None:
        """Capture its object again, or do without."""
        if not self._absences.takes(ref, lack):
            self._unread.add(ref.name)
            self._unmet.add(ref.object)
            return
        self._unread.discard(ref.name)
        if self._lacking.pop(ref.name, None) is not None:
            self.todo = max(0, self.todo - ref.length)

    def _captured(self, ticket: PendingMark) -> Iterator[Batch]:
        """Wait until it is captured; capture fills the spool meanwhile."""
        fruit, size = Fruitless(), self._spool.size
        while not (self._talk.closing or self._full or has_passed(ticket)):
            yield from self._talk.breathe()
            if self._spool.size != size:
                size = self._spool.size
                fruit.brought()
            elif fruit.nothing(self._talk.now()):
                raise Stalled.by_files(self._talk.peer, self._source, self._unmet, NOT_CAPTURED)

    # --- ship

    def _ship(self, target: Commit) -> Iterator[Batch]:
        """Rows and chunks of ``target``, and its seal."""
        puts: list[bytes] = []
        drops: list[bytes] = []
        count = size = 0
        whole = True
        self.todo = min(self.todo, backlog(self._source, self._from, target))
        for rows in self._source.difference(self._from, target.number):
            for _, old, new in rows:
                for ref in row_references(old, new, self._source.piece) if new is not None else ():
                    whole = (yield from self._send(ref.name)) and whole
            puts += [new for _, _, new in rows if new is not None]
            drops += [key for key, _, new in rows if new is None]
            size += sum(len(new or key) for key, _, new in rows)
            if size >= ROWS_TARGET:
                count += yield from self._offer(target.number, Changes(puts, drops))
                puts, drops, size = [], [], 0
            if self._talk.closing or not whole:
                break
        count += yield from self._offer(target.number, Changes(puts, drops))
        if self._talk.closing or not whole:
            self._load.part(Withdraw(target.number))
        else:
            fuzzy = self._source.fuzzy(self.base, target.number)
            for part in self._absences.parts(target.number, self.base):
                self._load.part(part)
            absent = self._absences.told
            self._load.part(live.seal_of(target, self.base, count, fuzzy, absent))
            self.absent = absent > 0
            self.base, self.sealed = target.number, True
        yield from self._talk.say(self._load.take())

    def _ship_unsealed(self) -> Iterator[Batch]:
        """What fits is at the peer then, and need not travel again if it is still named; what does not may be asked for anew."""
        for name in list(self._lacking):
            yield from self._send(name)
            if self._talk.closing:
                break
        self._load.part(Withdraw(NOTHING))
        yield from self._talk.say(self._load.take())

    def _offer(self, number: CommitNumber, changes: Changes) -> Generator[Batch, None, int]:
        """Rows; how many."""
        count = 0
        for rows, blob in blobs_of(changes):
            count += rows
            if not self._load.fits(len(blob)):
                yield from self._talk.say(self._load.take())
            self._load.part(Offer(0, number, self.base, blob, whole=self._whole))
        if self._load.full:
            yield from self._talk.say(self._load.take())
        return count

    def _send(self, name: bytes) -> Generator[Batch, None, bool]:
        """A chunk, if the peer lacks it; once. False when it is not in the spool."""
        kind = self._lacking.pop(name, None)
        if kind is None:
            return True
        data = self._spool.get(name)
        if data is None:
            return False
        self.moved += len(data)
        self.todo = max(0, self.todo - len(data))
        self._load.chunk(kind, name, data)
        if self._load.full:
            yield from self._talk.say(self._load.take())
        return True
