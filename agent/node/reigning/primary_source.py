"""What a sender reads of a primary, on connections of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from agent.capture.outlet import Lack
from agent.core.chunks import ChunkRef
from agent.core.commit import Commit
from agent.core.digest import Digest
from agent.core.ids import CommitNumber, Epoch, ObjectId
from agent.store.catalog.catalog import Catalog
from agent.store.pieces import KeptPieces, VaultChunks
from agent.stream.locator import CommitMark, is_known
from agent.stream.sending.source import PendingMark


class ReadsAgain(Protocol):
    """Reads chunks from where they stood. For one thread."""

    def read(self, refs: Sequence[ChunkRef]) -> list[bytes | Lack]:
        """For each reference its bytes, or why they are not to be had."""
        ...

    def rest(self) -> None:
        """Nothing is asked for now."""
        ...

    def close(self) -> None:
        """Close what is open; safe to call twice."""
        ...


class LooksAgain(Protocol):
    """Asks capture about objects, each with the path that it has, if any. Any thread."""

    def cannot_read(self, id: ObjectId, path: bytes | None) -> bool:
        """Whether it could not be read when it was looked at last."""
        ...

    def look(self, objects: Sequence[tuple[ObjectId, bytes | None]]) -> PendingMark:
        """Have them captured again."""
        ...


class PrimarySource:
    """A ``stream.sending.source.Source``: one for each call, for its thread. It takes ``content`` over."""

    def __init__(
        self, content: ReadsAgain, capture: LooksAgain, catalog: Catalog, *, vault: VaultChunks | None
    ) -> None:
        self._reader = catalog.reader()
        self._pieces = KeptPieces(self._reader, vault)
        self._content = content
        self._capture = capture

    def newest(self) -> Commit | None:
        """See ``Source``."""
        return self._reader.newest()

    def commit_at(self, number: CommitNumber) -> Commit | None:
        """See ``Source``."""
        return self._reader.commit_at(number) if self._reader.is_readable(number) else None

    def knows(self, mark: CommitMark) -> bool:
        """See ``Source``."""
        return is_known(self._reader, mark)

    def sums(self, at: CommitNumber) -> Digest:
        """See ``Source``."""
        return self._reader.sums_at(at)

    def knows_epoch(self, epoch: Epoch) -> bool:
        """See ``Source``."""
        return epoch in self._reader.lineage

    def anew_since(self) -> CommitNumber:
        """See ``Source``."""
        return self._reader.anew_since()

    def difference(self, a: CommitNumber, b: CommitNumber) -> Iterator[list[tuple[bytes, bytes | None, bytes | None]]]:
        """See ``Source``."""
        return self._reader.difference(a, b)

    def fuzzy(self, a: CommitNumber, b: CommitNumber) -> int:
        """See ``Source``."""
        return self._reader.fuzzy_between(a, b)

    def piece(self, name: bytes) -> bytes | None:
        """See ``Source``."""
        return self._pieces.find(name)

    def object(self, id: ObjectId) -> bytes | None:
        """See ``Source``."""
        return self._reader.holder(id)

    def read(self, refs: Sequence[ChunkRef]) -> list[bytes | Lack]:
        """See ``Source``."""
        found = self._content.read(refs)
        if Lack.CHANGED in found:
            self._ask_capture(refs, found)
        return found

    def _ask_capture(self, refs: Sequence[ChunkRef], found: list[bytes | Lack]) -> None:
        """What has changed and capture cannot read (the bad sector may be another) is brought by no later commit either."""
        objects = {ref.object for ref, data in zip(refs, found, strict=True) if data is Lack.CHANGED}
        paths = ((id, self._reader.path_of(id)) for id in objects)
        unreadable = {id for id, path in paths if self._capture.cannot_read(id, path)}
        for at, ref in enumerate(refs if unreadable else ()):
            if found[at] is Lack.CHANGED and ref.object in unreadable:
                found[at] = Lack.UNREADABLE

    def force(self, objects: Sequence[ObjectId]) -> PendingMark:
        """See ``Source``: a hint always reads."""
        return self._capture.look([(id, self._reader.path_of(id)) for id in objects])

    def path_of(self, id: ObjectId) -> bytes | None:
        """See ``Source``."""
        return self._reader.place_of(id)

    def rest(self) -> None:
        """See ``Source``."""
        self._content.rest()

    def close(self) -> None:
        """See ``Source``."""
        self._content.close()
        self._reader.close()
