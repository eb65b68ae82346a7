"""What is in a file: its bytes cut into chunks, beside the version that the batch has."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import NamedTuple, Protocol

from agent.capture.batch import TreeBatch
from agent.chunking.cutter import Cutter
from agent.chunking.old_chunks import Earlier
from agent.chunking.pages import CHANGED_PAGED, PAGED, PageReader
from agent.chunking.reader import (
    SMALL,
    WHOLE,
    Content,
    ContentReader,
    Found,
    OneChunk,
    ReaderTools,
    one_chunk_again,
    read_at_once,
)
from agent.chunking.window import FileReads
from agent.core import chunks
from agent.core.errors import Damaged, WireError
from agent.core.ids import ObjectId
from agent.core.patch import Runs
from agent.core.rows import content_of, decode_object
from agent.fs.content import first_hole, read_exact
from agent.store.pieces import KeptPieces

_NO_PATCHES: Mapping[bytes, Runs] = {}


#: Parts of lists that were asked for ahead and not read yet: 16 levels of 144, and those of some reads that were given up.
_FOUND = 4096


class WholeRead(NamedTuple):
    """A file that was read at once: its content, chunks that are new in it, and how some of them are made of the version before.
    ``reader``: where there was need of one, which is to be settled."""

    content: Content
    found: list[Found]
    patches: Mapping[bytes, Runs] = _NO_PATCHES
    reader: ContentReader | None = None


class ListDamage(Protocol):
    """Is told which chunk lists of versions before a vault gives."""

    def lost(self, id: ObjectId, reason: str) -> None:
        """That of this object cannot be read to its end."""
        ...

    def whole(self, id: ObjectId) -> None:
        """It can."""
        ...


class FileContents:
    """Reads open files of one dataset. ``pieces``: parts of long chunk lists; ``seed``: of prints; ``reads``: how bytes are read;
    ``damage`` is told of versions before that a vault gives no more: such a file is read as if it were new. Belongs to the
    pump's thread."""

    def __init__(
        self,
        batch: TreeBatch,
        pieces: KeptPieces,
        seed: int,
        reads: FileReads,
        damage: ListDamage | None = None,
    ) -> None:
        self.tools = ReaderTools(seed, Cutter(), self._piece, reads, self._ahead)
        self._batch = batch
        self._pieces = pieces
        self._found: dict[bytes, bytes] = {}
        self._pages = batch.pages(seed)
        self._damage = damage

    def open_slices(
        self, was: bytes | None, id: ObjectId | None, fd: int, size: int
    ) -> tuple[ContentReader, Generator[int, None, Content]]:
        """A reader of a large file and its run. ``id``: that of a new one too, if its pages are to be known."""
        is_paged = id is not None and size >= (PAGED if was is None else CHANGED_PAGED)
        pages = PageReader(self._pages, id, self.tools.seed, was is not None, size < PAGED) if id and is_paged else None
        reader = ContentReader(fd, size, self.tools, self._earlier(id, was), pages)
        return reader, reader.slices()

    def read_whole(self, id: ObjectId, was: bytes | None, fd: int, size: int) -> WholeRead:
        """All of a file at once. It may be at most ``LARGE``."""
        if not size:
            return WholeRead(Content(b"", 0), [])
        if size <= (SMALL if was is None else WHOLE) and first_hole(fd) >= size:
            data = read_exact(fd, 0, size, self.tools.reads.pread)
            read = self._read_of(id, data, was) if len(data) == size else None
            if read is not None:
                return read
        reader, slices = self.open_slices(was, id, fd, size)
        while True:
            try:
                next(slices)
            except StopIteration as end:
                return WholeRead(end.value, reader.found, reader.patches, reader)

    def _read_of(self, id: ObjectId, data: bytes, was: bytes | None) -> WholeRead | None:
        """A file that these bytes are all of; None where more is to be asked of the version before than its one chunk."""
        if was is None:
            return WholeRead(*read_at_once(data, self.tools.seed, self.tools.cutter))
        again = one_chunk_again(data, content_of(was))
        if again is None or (again.found and not again.runs and len(data) >= CHANGED_PAGED):
            return None
        return WholeRead(again.content, again.found, self._added(id, again) if again.runs else _NO_PATCHES)

    def _added(self, id: ObjectId, again: OneChunk) -> Mapping[bytes, Runs]:
        """How the one chunk of a file that was added to is made. Its pages need not be known for that, nor for the next line:
        those of the chunk that was are forgotten, and others made once something changes in its place."""
        if again.content.size >= CHANGED_PAGED:
            self._pages.drop(id, [again.runs[0].base])
        return {again.found[0][0]: again.runs}

    def _earlier(self, id: ObjectId | None, was: bytes | None) -> Earlier | None:
        if was is None or id is None:
            return None
        row = decode_object(was)
        if not row.content or not self._is_whole(id, row.content):
            return None
        fact = self._batch.fact(id)
        return Earlier(row.content, row.size, fact.prints if fact is not None else b"")

    def _is_whole(self, id: ObjectId, listed: bytes) -> bool:
        """Whether the list of the version before can be read to its end. Only what was received may be damaged by itself: what is
        captured here stands among the truths. Without a vault at all nothing is guessed: reading it says so."""
        if not self._pieces.has_vault or len(listed) == chunks.ONE_SIZE:
            return True
        try:
            for _ in chunks.unfold(listed, self._piece):
                pass
        except (Damaged, WireError) as error:
            if self._damage is None:
                raise
            self._damage.lost(id, error.reason)
            return False
        if self._damage is not None:
            self._damage.whole(id)
        return True

    def _ahead(self, names: Sequence[bytes]) -> None:
        """These parts are read next, and then those that they name: two questions for all. Those of a read that ended before its
        end are let go here."""
        if len(self._found) > _FOUND:
            self._found.clear()
        self._find(names)
        above = [part for name in names if len(part := self._found.get(name, b"")) <= chunks.PIECE_MAX]
        self._find([name for part in above for name in chunks.pieces_in(part)])

    def _find(self, names: Sequence[bytes]) -> None:
        self._found.update(self._batch.kept_pieces([name for name in names if name not in self._found]))

    def _piece(self, name: bytes) -> bytes:
        """A stored part of a chunk list. Raises ``Damaged`` when it was lost."""
        stored = self._batch.pieces.get(name) or self._found.pop(name, None) or self._pieces.find(name)
        if stored is None:
            reason = "neither the catalog nor the vault has this part of it"
            raise Damaged("read a chunk list", name.hex(), reason, "move the catalog away")
        return stored
