"""One commit offered to a peer: its rows and the names in them, and the bytes of what the peer says that it lacks.

Bytes are read from the source as it is now. What has changed there since is noted: the rows that name it cannot be sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from agent.capture.outlet import Lack
from agent.chunking.references import by_bytes, bytes_in, row_references
from agent.core.chunks import DATA, ChunkRef
from agent.core.commit import Changes
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.rows import NAME_TAG, size_of, tag_of
from agent.stream.messages import NAMES_TARGET, RAW, ROWS_TARGET, Batch, Offer
from agent.stream.packing import implied_names, pack_rows
from agent.stream.rows_blob import blobs_of
from agent.stream.sending.asking import Asking, OpenQuestion
from agent.stream.sending.owed_by_peer import Absences
from agent.stream.sending.round import RoundContext

_CHANGED_MAX = 100_000


class Offering:
    """What one commit after the other is offered with. Used by the speaking thread; every method that sends is a generator of
    batches. ``room`` is called between two offers and makes room in the live queue.

    ``rows``: offered for this commit; ``moved``: bytes of its chunks that were sent; ``unread``: bytes that were not there any
    more, of the objects in ``changed``; ``absences``: what it goes without; ``todo``: bytes that it has not come to."""

    def __init__(self, context: RoundContext, asking: Asking, room: Callable[[], Iterator[Batch]]) -> None:
        self.todo = 0
        self.rows = self.moved = self.unread = 0
        self.changed: set[ObjectId] = set()
        self.absences = Absences()
        self._talk = context.talk
        self._source = context.source
        self._compact = context.compact
        self._asking = asking
        self._room = room
        self._number = self._parent = NOTHING

    def begin(self, number: CommitNumber, parent: CommitNumber) -> None:
        """From now on commit ``number`` is offered, on top of ``parent``."""
        self._number, self._parent = number, parent
        self.rows = self.moved = self.unread = 0
        self.changed.clear()
        self.absences.clear()

    def over(self, left: int = 0) -> None:
        """The commit is sealed, or withdrawn with so many bytes ``left``."""
        self._number = self._parent = NOTHING
        self.todo = left

    def offer(self, changes: Changes, refs: Sequence[ChunkRef]) -> Iterator[Batch]:
        """Rows, the names that they need, and then as many answers as are due."""
        blobs = list(blobs_of(changes, 2 * ROWS_TARGET))
        for count, blob in blobs[:-1]:
            self.rows += count
            yield from self._asking.put(self._offer_of(0, blob))
        count, blob = blobs[-1] if blobs else (0, b"")
        self.rows += count
        if blob or refs:
            question = self._asking.question(refs=refs) if refs else 0
            asked = tuple((ref.kind, ref.name) for ref in refs)
            implied = self._compact and len(blobs) == 1 and bool(asked) and asked == implied_names(changes.puts)
            yield from self._asking.put(self._offer_of(question, blob, () if implied else asked, implied))
        yield from self.due()

    def offer_rows(self, rows: Sequence[bytes]) -> Iterator[Batch]:
        """Rows of a whole; the peer says which of them it has not as they are, and the names of those are offered then."""
        at = 0
        for count, blob in blobs_of(Changes(rows), 2 * ROWS_TARGET):
            question = self._asking.question(rows=rows[at : at + count])
            at += count
            self.rows += count
            yield from self._asking.put(self._offer_of(question, blob, whole=True))
        yield from self.due()

    def due(self) -> Iterator[Batch]:
        """As many answers as are due, and room in the queue."""
        while self._asking.due:
            yield from self._answer()
        yield from self._room()

    def answers(self) -> Iterator[Batch]:
        """All answers that are still to come."""
        while self._asking:
            yield from self._answer()

    def tell_absences(self) -> None:
        """What the commit goes without is told with the next batch."""
        for part in self.absences.parts(self._number, self._parent):
            self._asking.load.part(part)

    def references(self, row: bytes) -> Iterator[ChunkRef]:
        """All that a row names."""
        return row_references(None, row, self._source.piece)

    def _offer_of(
        self,
        question: int,
        blob: bytes,
        asked: tuple[tuple[int, bytes], ...] = (),
        implied: bool = False,
        whole: bool = False,
    ) -> Offer:
        codec, rows = pack_rows(blob) if self._compact else (RAW, blob)
        length = 0 if codec == RAW else len(blob)
        return Offer(question, self._number, self._parent, rows, asked, codec, length, implied, whole)

    def _answer(self) -> Iterator[Batch]:
        """Read and send what the peer lacks; note the objects whose bytes have changed."""
        question, lacking = yield from self._asking.answer()
        if question.rows:
            yield from self._ask_for(question, set(lacking))
            return
        refs = [question.refs[index] for index in lacking]
        self._is_there(bytes_in(question.refs) - bytes_in(refs))
        yield from self._send(refs)
        if self.absences.due:
            self.tell_absences()
        yield from self._asking.flush()

    def _send(self, refs: Sequence[ChunkRef]) -> Iterator[Batch]:
        load = self._asking.load
        for some in by_bytes(refs):
            for ref, data in zip(some, self._source.read(some), strict=True):
                if ref.kind == DATA:
                    self._is_there(ref.length)
                if isinstance(data, Lack):
                    self._lacks(ref, data)
                    continue
                self.moved += len(data)
                load.chunk(ref.kind, ref.name, data)
                if load.full:
                    yield from self._talk.say(load.take())

    def _ask_for(self, question: OpenQuestion, changed: set[int]) -> Iterator[Batch]:
        """Offer the names of the rows that the peer has not as they are; of the others it has all content."""
        self._is_there(sum(size_of(row) for index, row in enumerate(question.rows) if index not in changed))
        refs: list[ChunkRef] = []
        for index in sorted(changed):
            row = question.rows[index]
            for ref in self.references(row) if tag_of(row) != NAME_TAG else ():
                refs.append(ref)
                if len(refs) >= NAMES_TARGET:
                    yield from self.offer(Changes(), refs)
                    refs = []
        yield from self.offer(Changes(), refs)

    def _is_there(self, size: int) -> None:
        """So many bytes need not be come to any more."""
        self.todo = max(0, self.todo - size)

    def _lacks(self, ref: ChunkRef, lack: Lack) -> None:
        """Where no commit is on its way, what cannot be read goes on to lack."""
        if self._number == NOTHING or self.absences.takes(ref, lack):
            return
        self.unread += max(1, ref.length)
        if len(self.changed) < _CHANGED_MAX:
            self.changed.add(ref.object)
