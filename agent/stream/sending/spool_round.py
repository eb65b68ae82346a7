"""One round by the spool: for a peer whose link is slower than its files change.

::

    gather   ask what the peer lacks of everything between its commit and ours, and read that into the spool at the pace of our
             own disk. Capture writes what it reads meanwhile there too. What had changed before it was read is captured again:
             its new bytes are in the spool, and the rows that changed since are looked at in turn, until nothing is lacking
    ship     the rows of that commit and the chunks that the peer lacks, from the spool, at the link's pace; then the seal

However slowly it ships, the bytes sent are those that the rows name. What is captured while it ships is the next round's.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from agent.capture.outlet import Lack
from agent.chunking.references import by_bytes, bytes_in, row_references
from agent.core.chunks import ChunkRef
from agent.core.commit import Changes, Commit
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.rows import holder_of_key
from agent.store.spool import Spool
from agent.stream.footing import Footing, Way
from agent.stream.messages import NAMES_TARGET, ROWS_TARGET, Batch, Offer, Withdraw
from agent.stream.rows_blob import blobs_of
from agent.stream.sending import live
from agent.stream.sending.asking import Asking
from agent.stream.sending.locating import begun
from agent.stream.sending.owed_by_peer import Absences
from agent.stream.sending.round import NOT_CAPTURED, RoundContext, backlog, has_passed
from agent.stream.sending.rounds import Fruitless, Stalled
from agent.stream.sending.source import PendingMark

#: Every pass but the first looks only at what changed during the one before, at the pace of a local disk.
_PASSES_MAX = 8
_QUESTIONS_MAX = 8


class SpooledRound:
    """A ``Round``. Used by the speaking thread, once; :meth:`run` is a generator of batches.

    ``queue`` must have been attached with ``spool`` and before anything here is read; it is given up as soon as all is gathered.
    ``footing``: from where the peer is brought on, that of the seal after it;
    ``moved``: bytes shipped; ``sealed``: whether it came to its end; ``absent``: whether it went without something that could
    not be read; ``stuck``: what had changed however often it was captured again, although there was room; ``since``: what
    ``given`` said when its commit was chosen."""

    def __init__(self, context: RoundContext, footing: Footing, spool: Spool) -> None:
        self.footing = footing
        self.since = context.given()
        self.moved = 0
        self.sealed = False
        self.stuck: frozenset[ObjectId] = frozenset()
        self.absent = False
        #: Bytes that the peer lacks, as far as it has said so; and at most, of what it was not asked for yet too: None before
        #: they were counted.
        self._lacked = 0
        self._backlog: int | None = None
        self._given = context.given
        self._talk = context.talk
        self._source = context.source
        self._queue = context.queue
        self._spool = spool
        self._asking = Asking(context.talk, _QUESTIONS_MAX)
        #: What the peer said that it lacks, by name with its kind; of that, what could not be read; and the objects that named
        #: it, of which some were looked at again in this pass.
        self._lacking: dict[bytes, int] = {}
        self._unread: set[bytes] = set()
        self._unmet: set[ObjectId] = set()
        self._again: set[ObjectId] = set()
        self._absences = Absences()

    @property
    def base(self) -> CommitNumber:
        """The commit that the peer has."""
        return self.footing.base

    @property
    def todo(self) -> int | None:
        """About how many bytes the peer lacks; None before they were counted."""
        return None if self._backlog is None else max(self._lacked, self._backlog)

    @property
    def unsaid(self) -> int:
        """See ``Round``."""
        return self._asking.unsaid

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
        at = self.footing.start
        for _ in range(_PASSES_MAX):
            since, newest = self._given(), self._source.newest()
            if newest is None:
                return None
            # Of what is asked for again with all the rest, all is to be come to again.
            before = 0 if self._backlog is None or at == self.footing.start else self._backlog
            self._backlog = before + backlog(self._source, at, newest)
            self.since = since
            self._queue.settled(newest.number)
            unmet = set(self._unmet)
            self._again.clear()
            yield from self._pass(at, newest.number)
            if self._talk.closing or self._full:
                return None
            if not self._unmet:
                return newest
            # What could not be read and has no newer row is asked for again with all the rest.
            at = newest.number if unmet <= self._again else self.footing.start
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
        while self._asking:
            yield from self._answer()

    def _references(self, key: bytes, old: bytes | None, new: bytes | None) -> Iterator[ChunkRef]:
        """What a row names and the row before it did not, unless that one was never whole."""
        id = ObjectId(holder_of_key(key))
        if not id:
            return
        if id in self._unmet:
            self._unmet.discard(id)
            self._again.add(id)
            old = None
        if new is not None:
            yield from row_references(old, new, self._source.piece)

    def _ask(self, refs: Sequence[ChunkRef]) -> Iterator[Batch]:
        if refs:
            asked = tuple((ref.kind, ref.name) for ref in refs)
            yield from self._asking.put(Offer(self._asking.question(refs=refs), NOTHING, NOTHING, asked=asked))
        while self._asking.due:
            yield from self._answer()

    def _answer(self) -> Iterator[Batch]:
        question, lacking = yield from self._asking.answer()
        wanted = set(lacking)
        # A name is wanted once: whoever names it too must still know that it could not be read.
        refs = [ref for at, ref in enumerate(question.refs) if at in wanted or ref.name in self._unread]
        self._come_to(bytes_in(question.refs) - bytes_in(refs))
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
                self._lacked += ref.length
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
            self._lacked = max(0, self._lacked - ref.length)

    def _come_to(self, size: int) -> None:
        """So many bytes need not be come to any more."""
        self._backlog = max(0, (self._backlog or 0) - size)

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
        beginning = yield from begun(self._talk, self._source, self._asking, self.footing, target)
        self.footing = beginning.footing
        self._lacked = min(self._lacked, backlog(self._source, self.footing.start, target))
        self._backlog = 0
        for rows in self._source.difference(self.footing.start, target.number):
            rows = [one for one in rows if one[2] is None or beginning.has(one[2])]
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
            yield from self._asking.put(Withdraw(target.number))
        else:
            yield from self._seal(target, count)

    def _seal(self, target: Commit, count: int) -> Iterator[Batch]:
        fuzzy = self._source.fuzzy(self.base, target.number)
        for part in self._absences.parts(target.number, self.base):
            self._asking.load.part(part)
        absent = self._absences.told
        seal = live.seal_of(target, self.base, count, fuzzy, absent)
        self.absent = absent > 0
        self.footing, self.sealed = Footing(target.number, Way.ON), True
        yield from self._asking.put(seal)

    def _ship_unsealed(self) -> Iterator[Batch]:
        """What fits is at the peer then, and need not travel again if it is still named; what does not may be asked for anew."""
        for name in list(self._lacking):
            yield from self._send(name)
            if self._talk.closing:
                break
        yield from self._asking.put(Withdraw(NOTHING))

    def _offer(self, number: CommitNumber, changes: Changes) -> Generator[Batch, None, int]:
        """Rows; how many."""
        count, load = 0, self._asking.load
        for rows, blob in blobs_of(changes):
            count += rows
            if not load.fits(len(blob)):
                yield from self._asking.flush()
            load.part(Offer(0, number, self.base, blob, whole=self.footing.way is Way.WHOLE))
        if load.full:
            yield from self._asking.flush()
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
        self._lacked = max(0, self._lacked - len(data))
        self._come_to(len(data))
        load = self._asking.load
        load.chunk(kind, name, data)
        if load.full:
            yield from self._talk.say(load.take())
        return True
