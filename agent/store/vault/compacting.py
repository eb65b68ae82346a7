"""Compaction, the vault's part: records that count are written anew at the end of the packs, and then count there.

A record is appended first, made durable, and only then is the old one passed over; the pack that held it goes last. So whatever
happens in between, a chunk lies in one place or in two. Whoever has the old pack open reads on from there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agent.core.patch import bases_of
from agent.store.vault.codec import StoredChunk, is_patch, open_chunk, open_patch
from agent.store.vault.collecting import VaultCollecting
from agent.store.vault.open_packs import OpenPack
from agent.store.vault.pack import TOMBSTONE, Place, path_of, records

#: Entries that one step writes into the index.
_FLUSHED_AT_ONCE = 500


class Rewritten(NamedTuple):
    """A chunk as it is to be stored from now on, and where it lay when it was read."""

    old: Place
    chunk: StoredChunk


class VaultCompacting(VaultCollecting):
    """Used by one compaction at a time, within a collection; thread-safe beside everybody else."""

    def records_that_count(self, number: int, batch: int, damage: list[str]) -> Iterator[list[tuple[bytes, Place]]]:
        """The chunks that lie in a pack, in its order. What is no record there is added to ``damage``. Raises ``Damaged``,
        ``StoreFailed``."""
        pack = OpenPack(path_of(self._packs, number))
        page: list[tuple[bytes, Place]] = []
        for name, place in records(pack.fd, number, 0, os.fstat(pack.fd).st_size, damage):
            if place.kind != TOMBSTONE:
                page.append((name, place))
            if len(page) >= batch:
                yield self._counting(page)
                page = []
        yield self._counting(page)

    def _counting(self, page: list[tuple[bytes, Place]]) -> list[tuple[bytes, Place]]:
        with self.lock:
            self._usable("compact")
            return [(name, place) for name, place in page if self._index.place(name) == place]

    def stored_chunk(self, name: bytes, place: Place) -> StoredChunk:
        """A chunk as it is stored, checked as far as that goes without what it is a patch of. Raises ``Damaged``,
        ``StoreFailed``."""
        with self.lock:
            pack = self._open(place.pack)
        stored = pack.stored(name, place)
        chunk = StoredChunk(name, place.kind, place.codec, place.raw_length, stored, place.depth)
        with pack.damage_told(place):
            if is_patch(place.codec):
                open_patch(place.codec, place.raw_length, stored)
            else:
                open_chunk(chunk)
        return chunk

    def rewrite(self, chunks: Sequence[Rewritten]) -> int:
        """These are stored anew, durably, where they did not leave their place meanwhile; how many. Raises ``TryAgain`` (disk
        full; some may be), ``StoreFailed``."""
        with self.lock:
            staying = [one.chunk for one in chunks if self._index.place(one.chunk.name) == one.old]
            for chunk, place in self._append(staying):
                bases = bases_of(bytes(chunk.stored)) if is_patch(chunk.codec) else ()
                self._index.put_again(chunk.name, place, bases)
                self._moved = True
        self.sync()
        with self.lock:
            self._index.flush(self._durable, _FLUSHED_AT_ONCE)
        return len(staying)
