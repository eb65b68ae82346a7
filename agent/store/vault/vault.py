"""The vault: every chunk of a dataset by its name, in append-only packs with an index beside them.

Receiver, applier and verifier use one vault at once. ``lock`` guards packs and index; reading, decompressing,
checking and syncing go on outside it. Whoever checks that chunks are there and relies on it holds ``keeping``
meanwhile, which collection also takes, or pins them (law 2).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

import apsw

from agent.core.errors import HikaeError
from agent.fs.durable import sync_data, sync_dir
from agent.store.vault import recovery
from agent.store.vault.codec import StoredChunk
from agent.store.vault.compacting import VaultCompacting
from agent.store.vault.limits import DEFAULT, VaultLimits
from agent.store.vault.noted_end import noted_end
from agent.store.vault.pack import (
    PackEnd,
    PackWriter,
    io_failure,
    numbers_in,
)

__all__ = ["PackEnd", "StoredChunk", "Vault"]


class Vault(VaultCompacting):
    """See the module."""

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
        vault = cls(packs, index, limits, sync_file=sync_file, sync_directory=sync_directory)
        try:
            vault._recover(numbers, committed)
        except OSError as error:
            vault.close()
            raise io_failure(error, "open the vault", directory) from error
        except BaseException:
            vault.close()
            raise
        return vault

    def close(self) -> None:
        """Give descriptors and the index back; safe to call twice. What was not synced may be lost.

        What is durable goes into the index, so that nobody who reads the vault later has to look for it in the packs."""
        with self.lock:
            if not self._failed:
                with suppress(apsw.Error, HikaeError):
                    self._index.flush(self._durable)
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

    def _recover(self, numbers: list[int], committed: PackEnd) -> None:
        """Cut what was not known to be durable, bring the index up to what is left, and go on writing there."""
        is_new = self._index.durable == PackEnd(0, 0)
        noted = noted_end(os.path.dirname(self._packs))
        end = max(committed, noted, self._index.durable, PackEnd(numbers[-1], 0) if numbers else PackEnd(0, 0))
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
        if is_new or self.damage:
            recovery.drop_baseless(self._index, self._packs, self.damage)
