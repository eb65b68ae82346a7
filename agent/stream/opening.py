"""Chunks as they came, opened: decompressed within bounds, rebuilt where they are patches, and named by what they are."""

from __future__ import annotations

from typing import NamedTuple

from agent.core.errors import Damaged, NotFound
from agent.core.patch import bases_of
from agent.store.codec import compute_name, is_patch, unpack
from agent.store.patched import Bases, received
from agent.store.vault import StoredChunk
from agent.stream.messages import Data
from agent.stream.presence import ChunksMissing, unreadable


class Opened(NamedTuple):
    """What came: the chunks to store, their bytes in the clear, and the names of what those that are patches were made of."""

    stored: list[StoredChunk]
    raws: list[bytes]
    bases: list[bytes]


def open_chunks(data: Data, vault: Bases) -> Opened:
    """Bases of patches are read from ``vault`` and pinned, but not checked: should one be damaged, what comes out of it has
    another name than the commit.

    Raises ``WireError`` for a length, codec, kind or patch that is not believed, ``BaseUnknown``, and ``ChunksMissing`` with the
    name of a base that is damaged here."""
    stored: list[StoredChunk] = []
    raws: list[bytes] = []
    bases: list[bytes] = []

    def came(name: bytes) -> bytes | None:
        return next((raw for chunk, raw in zip(stored, raws, strict=True) if chunk.name == name), None)

    for kind, codec, raw_length, payload in data.chunks():
        if is_patch(codec):
            try:
                chunk, raw = received(vault, kind, codec, raw_length, payload, came)
            except (Damaged, NotFound) as error:
                lost = unreadable(vault, bases_of(payload))
                raise ChunksMissing(f"what a patch is made of cannot be read: {error.reason}", lost) from error
            stored.append(chunk)
            bases += bases_of(payload)
        else:
            raw = unpack(codec, raw_length, payload)
            stored.append(StoredChunk(compute_name(kind, raw), kind, codec, raw_length, payload))
        raws.append(raw)
    return Opened(stored, raws, bases)
