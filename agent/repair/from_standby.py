"""Chunks that the vault lacks, put back from the standby's own files: what a file holds is believed when its name comes out."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator

from agent.capture.files.read_back import TreeSource
from agent.capture.outlet import Lack
from agent.chunking.references import references
from agent.core.chunks import DATA, ChunkRef
from agent.core.errors import Damaged, NotFound, Refused, StoreFailed, WireError
from agent.core.ids import ObjectId
from agent.core.rows import decode_object, is_object
from agent.store.catalog.catalog import CatalogReader
from agent.store.vault.codec import StoredChunk, pack_chunk
from agent.store.vault.vault import Vault

_NAMES_AT_ONCE = 4096
_READ_BYTES = 4 << 20

#: Called while it goes on.
Breath = Callable[[], None]


class Restoring:
    """One pass over what the newest commit names, in one thread; ``close`` gives everything back. ``root``: the standby."""

    def __init__(self, vault: Vault, open_reader: Callable[[], CatalogReader], root: str) -> None:
        self._vault = vault
        self._rows = open_reader()
        self._tree = TreeSource(root, open_reader())
        self.restored = 0
        self.left = 0
        self.replaced: set[bytes] = set()
        self._doubted: frozenset[bytes] = frozenset()

    def close(self) -> None:
        """Close every descriptor and reader."""
        self._tree.close()
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
        self._vault.sync()

    def _named(self) -> Iterator[ChunkRef]:
        for batch in self._rows.rows_at():
            for raw in batch:
                if not is_object(raw):
                    continue
                row = decode_object(raw)
                if stat.S_ISREG(row.mode) and row.content:
                    yield from self._of(row.id, row.content)

    def _of(self, id: ObjectId, content: bytes) -> Iterator[ChunkRef]:
        try:
            yield from references(id, content, b"", self._piece)
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
            for ref, data in zip(run, self._tree.read(run), strict=True):
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
