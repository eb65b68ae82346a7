"""The vault: every chunk of a dataset by its name, in append-only packs with an index beside them.

Receiver, applier and verifier use one vault at once. ``lock`` guards packs and index; reading, decompressing,
checking and syncing go on outside it. Whoever checks that chunks are there and relies on it holds ``keeping``
meanwhile, which collection also takes, or pins them (law 2).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence

from agent.core.errors import StoreFailed, TryAgain
from agent.core.patch import bases_of
from agent.fs.durable import sync_data, sync_dir
from agent.store.vault import recovery
from agent.store.vault.codec import StoredChunk, is_patch
from agent.store.vault.forgetting import VaultForgetting
from agent.store.vault.index import Index
from agent.store.vault.limits import DEFAULT, VaultLimits
from agent.store.vault.pack import (
    BATCH,
    PackEnd,
    PackWriter,
    io_failure,
    numbers_in,
)
from agent.store.vault.reading import REOPENED

__all__ = ["PackEnd", "StoredChunk", "Vault"]


class Vault(VaultForgetting):
    """See the module. ``elsewhere``: what is here beside the packs; ``damage``: what opening found in them that was no record,
    in words."""

    @classmethod
    def open(
        cls,
        directory: str,
        committed: PackEnd,
        limits: VaultLimits = DEFAULT,
        *,
        sync_file: Callable[[int], None] = sync_data,
        sync_directory: Callable[[str], None] = sync_dir,
    ) -> Vault:
        """Open or create. ``committed``: ``Catalog.pack_end()``. ``sync_file``, ``sync_directory``: how packs are made durable.

        What lies behind the last end that is known to be durable is cut (law 1); an index that is missing, damaged or
        behind is caught up from the packs. Raises ``StoreFailed``, ``TryAgain`` (disk full)."""
        packs = os.path.join(os.path.abspath(directory), "packs")
        try:
            os.makedirs(packs, mode=0o700, exist_ok=True)
            numbers = numbers_in(packs)
            index = recovery.open_index(os.path.join(directory, "index.db"), packs, numbers)
        except OSError as error:
            raise io_failure(error, "open the vault", directory) from error
        vault = cls(packs, index, limits, sync_file, sync_directory)
        try:
            vault._recover(numbers, committed)
        except OSError as error:
            vault.close()
            raise io_failure(error, "open the vault", directory) from error
        except BaseException:
            vault.close()
            raise
        return vault

    def __init__(
        self,
        packs: str,
        index: Index,
        limits: VaultLimits,
        sync_file: Callable[[int], None],
        sync_directory: Callable[[str], None],
    ) -> None:
        super().__init__(packs, index, limits)
        self._sync_file = sync_file
        self._sync_directory = sync_directory
        #: One sync at a time, and none behind one that failed: the kernel tells an error once for a file that was opened once.
        #: Whoever holds it asks for no other lock.
        self._syncing = threading.Lock()
        self.damage: list[str] = []
        self._new_pack = False
        self._durable = PackEnd(0, 0)

    def close(self) -> None:
        """Give descriptors and the index back; safe to call twice. What was not synced may be lost."""
        with self.lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            self._open.close()
            self._index.close()
            self._failed = True

    def __enter__(self) -> Vault:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- adding

    def add(self, chunks: Sequence[StoredChunk], raws: Sequence[bytes] = ()) -> None:
        """Append chunks; those that are there already are passed over. ``raws``: their opened bytes, as
        ``open_chunk`` gave them, to be kept for a while so that nobody need read them from disk.
        Durable after :meth:`sync`.

        Raises ``TryAgain`` when the disk is full: some may be in, adding them again is harmless. ``StoreFailed``."""
        with self.lock:
            writer = self._usable("write to the vault")
            by_name = {chunk.name: chunk for chunk in chunks}
            fresh = [by_name[name] for name in self._index.missing(list(by_name))]
            for start in range(0, len(fresh), BATCH):
                if writer.end >= self._limits.pack:
                    writer = self._next_pack(writer)
                part = fresh[start : start + BATCH]
                for chunk, place in zip(part, writer.append(part), strict=True):
                    self._index.put(chunk.name, place, bases_of(bytes(chunk.stored)) if is_patch(chunk.codec) else ())
            for chunk, raw in zip(chunks, raws, strict=bool(raws)):
                self._recent.put(chunk.name, raw)
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

    # --- inside, under the lock

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

    # --- at start

    def _recover(self, numbers: list[int], committed: PackEnd) -> None:
        """Cut what was not known to be durable, bring the index up to what is left, and go on writing there."""
        end = max(committed, self._index.durable, PackEnd(numbers[-1], 0) if numbers else PackEnd(0, 0))
        size = recovery.cut(self._packs, numbers, end)
        recovery.catch_up(self._index, self._packs, numbers, self.damage, self._limits.pending)
        if 0 <= size < end.offset or (size < 0 and end > PackEnd(0, 0)):
            # Records are gone that were durable: go on in a fresh pack, so that no new one lies before the known end.
            self.damage.append(f"pack {end.pack}: it ends at {max(size, 0)}, {end.offset} was committed")
            end = PackEnd(end.pack + 1, 0)
        self._writer = PackWriter.open(self._packs, end.pack, end.offset)
        self._sync(self._writer.fd, made=False)
        for directory in (self._packs, os.path.dirname(self._packs), os.path.dirname(os.path.dirname(self._packs))):
            self._sync_directory(directory)
        self._durable = end
        if end != self._index.durable:
            self._index.flush(end)
