"""What comes into the vault: records appended to packs, durable by one sync for all that waits."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence

from agent.core.errors import StoreFailed, TryAgain
from agent.core.patch import bases_of
from agent.store.vault.codec import StoredChunk, is_patch
from agent.store.vault.index import Index
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import BATCH, PackEnd, PackWriter, Place, io_failure
from agent.store.vault.reading import REOPENED, VaultReader


class VaultWriter(VaultReader):
    """The writing methods of a vault; thread-safe."""

    def __init__(
        self,
        packs: str,
        index: Index,
        limits: VaultLimits,
        *,
        sync_file: Callable[[int], None],
        sync_directory: Callable[[str], None],
    ) -> None:
        super().__init__(packs, index, limits)
        #: Held while chunks are taken away, and by who found some and makes what names them durable. Before ``lock``.
        self.keeping = threading.RLock()
        #: What opening found in the packs that was no record, or cannot be read without what is gone, in words.
        self.damage: list[str] = []
        self._sync_file = sync_file
        self._sync_directory = sync_directory
        #: One sync at a time, and none behind one that failed: the kernel tells an error once for a file that was opened once.
        #: Whoever holds it asks for no other lock.
        self._syncing = threading.Lock()
        self._new_pack = False
        self._durable = PackEnd(0, 0)

    def add(self, chunks: Sequence[StoredChunk], raws: Sequence[bytes] = ()) -> None:
        """Append chunks; those that are there already are passed over. ``raws``: their opened bytes, as
        ``open_chunk`` gave them, to be kept for a while so that nobody need read them from disk.
        Durable after :meth:`sync`.

        Raises ``TryAgain`` when the disk is full: some may be in, adding them again is harmless. ``StoreFailed``."""
        with self.lock:
            by_name = {chunk.name: chunk for chunk in chunks}
            self._spare(by_name)
            for chunk, place in self._append([by_name[name] for name in self._index.missing(list(by_name))]):
                self._index.put(chunk.name, place, bases_of(bytes(chunk.stored)) if is_patch(chunk.codec) else ())
            for chunk, raw in zip(chunks, raws, strict=bool(raws)):
                self._recent.put(chunk.name, raw)
            writer = self._usable("write to the vault")
            durable = self._durable.offset if self._durable.pack == writer.pack else 0
            crowded = self._index.waiting() > self._limits.pending or writer.end - durable > self._limits.unsynced
        if crowded:
            self.sync()

    def wait_for_reader(self, timeout: float) -> None:
        """Before more is added: let the applier come closer, up to ``timeout`` seconds, if it is so far behind that it will have
        to read from disk what is added now."""
        self._recent.wait_for_reader(timeout)

    def sync(self) -> PackEnd:
        """Everything that was added before is durable, up to the end that comes back.

        Raises ``StoreFailed``: the vault must be opened again, and what was not durable is thrown away then (law 1)."""
        elsewhere = self.elsewhere
        if elsewhere is not None:
            elsewhere.sync()
        with self.lock:
            writer = self._usable("sync the vault")
            end = PackEnd(writer.pack, writer.end)
            if end == self._durable:
                return end
            writer.prepare(self._durable.offset if self._durable.pack == end.pack else 0)
            made = self._new_pack
            fd = os.dup(writer.fd)
        try:
            self._sync(fd, made)
        finally:
            os.close(fd)
        with self.lock:
            self._synced(end)
        return end

    def _usable(self, operation: str) -> PackWriter:
        if self._failed or self._writer is None:
            raise StoreFailed(operation, self._packs, "an earlier sync failed, or it is closed", REOPENED)
        return self._writer

    def _sync(self, fd: int, made: bool) -> None:
        """Sync a pack, and the directory if it is new there."""
        with self._syncing:
            if self._failed:
                raise StoreFailed("sync the vault", self._packs, "an earlier sync failed", REOPENED)
            try:
                self._sync_file(fd)
                if made:
                    self._sync_directory(self._packs)
            except OSError as error:
                self._failed = True
                raise StoreFailed("sync the vault", self._packs, str(error), REOPENED) from error

    def _append(self, chunks: Sequence[StoredChunk]) -> Iterator[tuple[StoredChunk, Place]]:
        """Append records, and give each with its place. Under the lock. Raises as :meth:`add`."""
        writer = self._usable("write to the vault")
        for start in range(0, len(chunks), BATCH):
            if writer.end >= self._limits.pack:
                writer = self._next_pack(writer)
            part = chunks[start : start + BATCH]
            yield from zip(part, writer.append(part), strict=True)

    def _next_pack(self, writer: PackWriter) -> PackWriter:
        """A pack is synced when it is left, so every pack but the last is durable, and ends with its last record."""
        try:
            writer.trim()
        except OSError as error:
            raise io_failure(error, "write to the vault", writer.path) from error
        self._sync(writer.fd, self._new_pack)
        following = PackWriter.open(self._packs, writer.pack + 1, 0)
        writer.close()
        self._writer, self._new_pack = following, True
        return following

    def _synced(self, end: PackEnd) -> None:
        """Records before ``end`` are durable. Another thread's sync may have come further meanwhile."""
        if end <= self._durable:
            return
        if self._writer is not None and self._writer.pack == end.pack:
            self._new_pack = False
        self._durable = end
        if self._index.waiting() < self._limits.flush:
            return
        try:
            self._index.flush(end)
        except TryAgain:
            if self._index.waiting() > 2 * self._limits.pending:
                raise
