"""Chunks that the vault lacks, put back from the standby's own files: what a file holds is believed when its name comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from agent.capture.outlet import Lack
from agent.chunking.references import row_references
from agent.core.chunks import DATA, ChunkRef
from agent.core.errors import Damaged, NotFound, Refused, StoreFailed, WireError
from agent.store.catalog.catalog import CatalogReader
from agent.store.vault.codec import StoredChunk, pack_chunk
from agent.store.vault.vault import Vault

_NAMES_AT_ONCE = 4096
_READ_BYTES = 4 << 20

#: Called while it goes on.
Breath = Callable[[], None]


class StandingChunks(Protocol):
    """What stands on the standby, read by where it stands. For one thread."""

    def read(self, refs: Sequence[ChunkRef]) -> Sequence[bytes | Lack]:
        """For each reference its bytes, or why they are not to be had."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


class Restoring:
    """One pass over what the newest commit names, in one thread; ``close`` gives everything back. ``stands``: reads the
    standby, and is closed with this."""

    def __init__(self, vault: Vault, open_reader: Callable[[], CatalogReader], stands: StandingChunks) -> None:
        self._vault = vault
        self._rows = open_reader()
        self._stands = stands
        self.restored = 0
        self.left = 0
        self.replaced: set[bytes] = set()
        self._doubted: frozenset[bytes] = frozenset()

    def close(self) -> None:
        """Close every descriptor and reader."""
        self._stands.close()
        self._rows.close()

    def run(self, breath: Breath, doubted: frozenset[bytes] = frozenset()) -> None:
        """Look for every chunk that the newest commit names and the vault lacks; put in what the standby has. The rest is counted
        in ``left``. Those of ``doubted`` that the standby has are written anew in the place of what is there, and are in
        ``replaced``. Raises ``TryAgain`` (disk full), ``StoreFailed``, ``Damaged``."""
        self._doubted = doubted
        refs: list[ChunkRef] = []
        for ref in self._named():
            refs.append(ref)
            if len(refs) >= _NAMES_AT_ONCE:
                self._look(refs)
                refs = []
                breath()
        self._look(refs)
        # No commit says that the packs have it.
        self._vault.note_end()

    def _named(self) -> Iterator[ChunkRef]:
        for batch in self._rows.rows_at():
            for raw in batch:
                yield from self._of(raw)

    def _of(self, raw: bytes) -> Iterator[ChunkRef]:
        try:
            yield from row_references(None, raw, self._piece)
        except WireError:
            # A part of its chunk list is lost: that comes from the primary, and what it names is looked at the next time.
            self.left += 1

    def _piece(self, name: bytes) -> bytes | None:
        try:
            return self._vault.read(name)
        except (Damaged, NotFound, StoreFailed):
            return None

    def _look(self, refs: list[ChunkRef]) -> None:
        missing = set(self._vault.missing([ref.name for ref in refs]))
        missing |= {ref.name for ref in refs if ref.name in self._doubted and ref.name not in self.replaced}
        lacking = {ref.name: ref for ref in refs if ref.name in missing}
        for run in _by_bytes(list(lacking.values())):
            found: list[StoredChunk] = []
            raws: list[bytes] = []
            for ref, data in zip(run, self._stands.read(run), strict=True):
                if isinstance(data, Lack):
                    self.left += ref.name not in self._doubted
                elif ref.name not in self._doubted or self._makes_way(ref.name):
                    found.append(pack_chunk(ref.name, ref.kind, data))
                    raws.append(data)
            self._vault.add(found, raws)
            self.restored += len(found)

    def _makes_way(self, name: bytes) -> bool:
        """Whether what lies in the vault under that name, and cannot be read, is forgotten for what is at hand."""
        try:
            self._vault.lose([name])
        except Refused:
            return False  # An offer in flight relies on it.
        self.replaced.add(name)
        return True


def _by_bytes(refs: list[ChunkRef]) -> Iterator[list[ChunkRef]]:
    """What is read at once: bounded in bytes."""
    run: list[ChunkRef] = []
    size = 0
    for ref in refs:
        run.append(ref)
        size += ref.length if ref.kind == DATA else 0
        if size >= _READ_BYTES:
            yield run
            run, size = [], 0
    if run:
        yield run
