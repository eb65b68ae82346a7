"""What a sender reads of a primary, on connections of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.capture.files.read_back import TreeSource
from agent.capture.outlet import Lack
from agent.capture.pump import Pump
from agent.core.chunks import ChunkRef
from agent.core.commit import Commit
from agent.core.digest import Digest
from agent.core.ids import CommitNumber, Epoch, ObjectId
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local
from agent.store.pieces import KeptPieces, VaultChunks
from agent.stream.locator import CommitMark, is_known
from agent.stream.sending.source import PendingMark
from agent.watch.hint import Hint, Look


class PrimarySource:
    """A ``stream.sending.source.Source``: one for each call, for its thread. It takes ``tree`` over."""

    def __init__(
        self, tree: TreeSource, catalog: Catalog, local: Local, pump: Pump, *, vault: VaultChunks | None
    ) -> None:
        self._local = local
        self._pump = pump
        self._reader = catalog.reader()
        self._pieces = KeptPieces(self._reader, vault)
        self._tree = tree

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
        return self._reader.object(id)

    def read(self, refs: Sequence[ChunkRef]) -> list[bytes | Lack]:
        """See ``Source``."""
        found = self._tree.read(refs)
        if Lack.CHANGED in found:
            self._ask_capture(refs, found)
        return found

    def _ask_capture(self, refs: Sequence[ChunkRef], found: list[bytes | Lack]) -> None:
        """What has changed and capture cannot read (the bad sector may be another) is brought by no later commit either."""
        objects = {ref.object for ref, data in zip(refs, found, strict=True) if data is Lack.CHANGED}
        paths = ((id, self._reader.path_of(id)) for id in objects)
        unreadable = {id for id, path in paths if path is not None and self._pump.cannot_read(path)}
        for at, ref in enumerate(refs if unreadable else ()):
            if found[at] is Lack.CHANGED and ref.object in unreadable:
                found[at] = Lack.UNREADABLE

    def force(self, objects: Sequence[ObjectId]) -> PendingMark:
        """See ``Source``: a hint always reads."""
        hints = []
        for id in objects:
            fact = self._local.get(id)
            path = self._reader.path_of(id)
            if fact is not None:
                hints.append(Hint(b"", Look.ENTRY, fact.handle))
            if path:
                hints.append(Hint(path, Look.ENTRY))
        return self._pump.look(hints)

    def path_of(self, id: ObjectId) -> bytes | None:
        """See ``Source``."""
        return self._reader.path_of(id)

    def rest(self) -> None:
        """See ``Source``."""
        self._tree.rest()

    def close(self) -> None:
        """See ``Source``."""
        self._tree.close()
        self._reader.close()
