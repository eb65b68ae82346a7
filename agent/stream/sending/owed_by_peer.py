"""What one peer owes, on the primary's side: what is sealed without, and asked for again when it may be readable (law 9)."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Generator, Iterator, Sequence

from agent.capture.outlet import Lack
from agent.chunking.references import by_bytes, row_references
from agent.core.chunks import ChunkRef
from agent.core.clock import Clock
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.stream.messages import NAMES_TARGET, OBJECTS_MAX, Absent, AskOwed, Batch, Offer, Owing, Withdraw, bad
from agent.stream.sending.batch_builder import Load
from agent.stream.sending.source import Source
from agent.stream.sending.talk.call import Conversation

#: Paths that are told of one peer.
PATHS = 20
#: Seconds from one look to the next: where something said that it may be worth while, and where nothing did, which costs a
#: failing disk the more the more is owed.
_SOON, _LATER, _MUCH_LATER = 1.0, 60.0, 600.0
_FEW = 100

Told = Callable[[int, Sequence[bytes]], None]


class Absences:
    """What a commit on its way has to be sealed without. ``told``: ids in the parts made since :meth:`clear`."""

    def __init__(self) -> None:
        self.told = 0
        self._ids = array("Q")
        self._names = 0

    def clear(self) -> None:
        """Another commit is sent to the peer, or the same once more: nothing is absent from it yet."""
        self.told = self._names = 0
        del self._ids[:]

    def takes(self, ref: ChunkRef, lack: Lack) -> bool:
        """Whether a chunk that the peer lacks is to be sealed without; else it may be had after another capture."""
        if lack is not Lack.UNREADABLE:
            return False
        self._names += 1
        if not self._ids or self._ids[-1] != ref.object:
            self._ids.append(ref.object)
        return True

    @property
    def due(self) -> bool:
        """Whether so much has come together that it should be told, though the commit is not at its end."""
        return self._names >= NAMES_TARGET or len(self._ids) >= OBJECTS_MAX

    def parts(self, number: CommitNumber, parent: CommitNumber) -> Iterator[Absent]:
        """All that was not told yet."""
        ids, self._ids, self._names = self._ids, array("Q"), 0
        self.told += len(ids)
        for at in range(0, len(ids), OBJECTS_MAX):
            yield Absent(number, parent, tuple(map(ObjectId, ids[at : at + OBJECTS_MAX])))


class OwedContent:
    """Brings a peer what it owes. Used by the speaking thread, between commits. ``looks`` rises when something may have become
    readable; ``told`` is called with how many objects the peer owes and the paths of the first."""

    def __init__(self, talk: Conversation, source: Source, looks: Callable[[], int], clock: Clock, told: Told) -> None:
        self._talk = talk
        self._source = source
        self._looks = looks
        self._clock = clock
        self._told = told
        self._load = Load(talk.under_way.level, talk.under_way.message)
        self._declared = False
        self._seen = -1
        self._known = -1
        self._at = float("-inf")
        self._run: Generator[Batch, None, None] | None = None

    def declared(self) -> None:
        """A commit was sealed without something."""
        self._declared = True

    @property
    def any(self) -> bool:
        """Whether the peer may owe something: it has not all that its commit says."""
        return self._declared or self._run is not None or self._talk.owed > 0

    @property
    def due(self) -> bool:
        """Whether there is something to be asked or sent now."""
        if self._run is not None:
            return True
        if not self.any and self._known <= 0:
            return False
        since = self._clock.monotonic() - self._at
        if self._declared or self._talk.owed != self._known or self._looks() != self._seen:
            return since >= _SOON
        return since >= (_LATER if self._known <= _FEW else _MUCH_LATER)

    def go_on(self, until: Callable[[], bool]) -> Iterator[Batch]:
        """Until it is done, or something goes first. Raises ``Ended``, ``WireError``."""
        if self._run is None:
            self._run = self._round()
        for batch in self._run:
            yield batch
            if until():
                return
        self._run = None

    def _round(self) -> Generator[Batch, None, None]:
        self._seen, self._at, self._declared = self._looks(), self._clock.monotonic(), False
        paths: list[bytes] = []
        after, most = ObjectId(NOTHING), 0
        while True:
            page = yield from self._page(after)
            most = max(most, page.total)
            if not page.objects:
                break
            for id in page.objects:
                if len(paths) < PATHS and (path := self._source.path_of(id)) is not None:
                    paths.append(path)
                yield from self._send(id)
            after = page.objects[-1]
        self._known = page.total
        # Where some came, the next round says which are left.
        self._declared = self._declared or 0 < page.total < most
        self._told(page.total, paths if page.total else [])

    def _page(self, after: ObjectId) -> Generator[Batch, None, Owing]:
        self._load.part(AskOwed(after))
        self._talk.unanswered.ask_owed()
        yield from self._talk.say(self._load.take())
        yield from self._talk.wait(lambda: self._talk.unanswered.owing is not None)
        page = self._talk.unanswered.take_owing()
        if any(id <= before for before, id in itertools.pairwise((after, *page.objects))):
            raise bad("objects that are not in order")
        return page

    def _send(self, id: ObjectId) -> Iterator[Batch]:
        """What the peer lacks of one object, as far as it can be read now."""
        row = self._source.object(id)
        if row is None:
            return
        refs = row_references(None, row, self._source.piece)
        while some := list(itertools.islice(refs, NAMES_TARGET)):
            question = self._talk.unanswered.question(len(some))
            asked = tuple((ref.kind, ref.name) for ref in some)
            self._load.part(Offer(question, CommitNumber(0), CommitNumber(0), asked=asked))
            yield from self._talk.say(self._load.take())
            yield from self._talk.answer(question)
            yield from self._answer([some[index] for index in self._talk.unanswered.take(question)])

    def _answer(self, refs: Sequence[ChunkRef]) -> Iterator[Batch]:
        lacking, changed = False, dict[ObjectId, None]()
        for some in by_bytes(refs):
            for ref, data in zip(some, self._source.read(some), strict=True):
                if isinstance(data, Lack):
                    lacking = True
                    if data is Lack.CHANGED:
                        changed[ref.object] = None
                    continue
                self._load.chunk(ref.kind, ref.name, data)
                if self._load.full:
                    yield from self._talk.say(self._load.take())
        if changed:
            # It can be read, and is not what its row says: nothing else may tell of that.
            self._source.force(tuple(changed))
        if lacking:
            # What was asked for does not come.
            self._load.part(Withdraw(CommitNumber(0)))
        yield from self._talk.say(self._load.take())
