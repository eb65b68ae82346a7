"""From an open file of the adopted tree into the packs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from agent.adopt.adopted_tree import bytes_at
from agent.adopt.placements import ChunkPlace, Placements
from agent.core.chunks import DATA
from agent.store.vault.codec import StoredChunk, pack_chunk
from agent.store.vault.vault import Vault

#: How much is read at once, bytes.
STEP_BYTES = 2 << 20
#: Why chunks are lost that were relied on.
CHANGED = "files of the adopted tree were changed before the vault had their content"

#: Told of chunks that were relied on and are not what they were: they are asked of the primary.
Lost: TypeAlias = Callable[[list[bytes], str], None]


class Copier:
    """Used by the applying thread. ``copied``: bytes since this agent was started."""

    def __init__(self, vault: Vault, lost: Lost) -> None:
        self.lost = lost
        self.copied = 0
        self._vault = vault

    def copy(self, known: Placements, due: Sequence[ChunkPlace], fd: int | None) -> None:
        """Copy durably from one file; then its chunks need not be looked for in the tree."""
        gone = self.gather(due, fd)
        self._vault.sync()
        if gone:
            self.lost(gone, CHANGED)
        known.drop([place.name for place in due])

    def gather(self, due: Sequence[ChunkPlace], fd: int | None) -> list[bytes]:
        """Copy what the packs lack; the names of those that are not there any more. Durable with the vault's next sync."""
        lacking = set(self._vault.missing_in_packs([place.name for place in due]))
        packed: list[StoredChunk] = []
        raws: list[bytes] = []
        gone: list[bytes] = []
        for place in due:
            if place.name not in lacking:
                continue
            data = bytes_at(fd, place)
            if data is None:
                gone.append(place.name)
            else:
                packed.append(pack_chunk(place.name, DATA, data))
                raws.append(data)
                self.copied += len(data)
        if packed:
            self._vault.add(packed, raws)
        return gone


def runs(due: Sequence[ChunkPlace]) -> Iterator[list[ChunkPlace]]:
    """Places in runs that are copied at once, each bounded in bytes."""
    run: list[ChunkPlace] = []
    size = 0
    for place in due:
        if run and size + place.length > STEP_BYTES:
            yield run
            run, size = [], 0
        run.append(place)
        size += place.length
    if run:
        yield run
