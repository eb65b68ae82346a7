"""One object after the other, from the tree into the packs: every chunk that the vault lacks of what the object was then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from agent.adopt.filling.tree_objects import ReadRange
from agent.chunking.references import by_bytes, references
from agent.core.chunks import PIECE, ChunkRef
from agent.core.errors import WireError
from agent.core.ids import ObjectId
from agent.core.rows import content_of
from agent.store.pieces import KeptPieces
from agent.store.vault.codec import StoredChunk, compute_name, pack_chunk
from agent.store.vault.vault import Vault

#: Names of chunks that are looked up at once.
_NAMES = 4096


class HeldContent(Protocol):
    """What stands beside the vault: a tree's files, or a device. For one thread."""

    def opened(self, id: ObjectId) -> AbstractContextManager[ReadRange | None]:
        """What reads the content of an object, or chunk of a device; None where it is not to be found."""
        ...


class ObjectCopier:
    """For one thread, like ``files`` and ``pieces``. ``look``: called before each chunk that is read, and raises what is to end
    it. What is put in is durable with the vault's next sync."""

    def __init__(self, vault: Vault, files: HeldContent, pieces: KeptPieces, look: Callable[[], None]) -> None:
        self._vault = vault
        self._files = files
        self._pieces = pieces
        self._look = look
        #: Bytes that were put in.
        self.copied = 0

    def copy(self, id: ObjectId, row: bytes) -> int:
        """Copy what the packs lack of an object as ``row`` has it; how many of its chunks are to be had nowhere any more.
        Raises ``TryAgain`` (disk full), ``StoreFailed``, ``Damaged``."""
        content = content_of(row)
        if not content:
            return 0
        lost, some = 0, list[ChunkRef]()
        try:
            for ref in references(id, content, b"", self._pieces.find):
                some.append(ref)
                if len(some) >= _NAMES:
                    lost += self._copied(id, some)
                    some = []
        except WireError:
            lost += 1  # a part of its chunk list is kept nowhere, and what that names is not known
        return lost + self._copied(id, some)

    def _copied(self, id: ObjectId, refs: Sequence[ChunkRef]) -> int:
        missing = set(self._vault.missing_in_packs([ref.name for ref in refs]))
        lacking = list({ref.name: ref for ref in refs if ref.name in missing}.values())
        if not lacking:
            return 0
        lost = 0
        with self._files.opened(id) as read:
            for run in by_bytes(lacking):
                lost += self._put(read, run)
        return lost

    def _put(self, read: ReadRange | None, run: Sequence[ChunkRef]) -> int:
        packed: list[StoredChunk] = []
        raws: list[bytes] = []
        for ref in run:
            self._look()
            data = self._bytes(read, ref)
            if data is not None:
                packed.append(pack_chunk(ref.name, ref.kind, data))
                raws.append(data)
                self.copied += len(data)
        if packed:
            self._vault.add(packed, raws)
        return len(run) - len(packed)

    def _bytes(self, read: ReadRange | None, ref: ChunkRef) -> bytes | None:
        """What a name stands for, if that is still what it says."""
        if ref.kind == PIECE:
            return self._pieces.find(ref.name)
        if read is None:
            return None
        try:
            data = read(ref.offset, ref.length)
        except OSError:
            return None
        return data if compute_name(ref.kind, data) == ref.name else None
