"""Chunks as they came, opened: decompressed within bounds, rebuilt where they are patches, and named by what they are."""

from __future__ import annotations

from typing import NamedTuple

from agent.core.errors import Damaged, NotFound
from agent.core.patch import bases_of
from agent.store.codec import RAW, check_length, compute_name, is_patch, unpack
from agent.store.patched import Bases, received
from agent.store.vault import StoredChunk
from agent.stream.messages import Data
from agent.stream.presence import ChunksMissing, unreadable


class Opened(NamedTuple):
    """What came: the chunks to store, their bytes in the clear, and the names of what those that are patches were made of."""

    stored: list[StoredChunk]
    raws: list[bytes | memoryview]
    bases: list[bytes]


def open_chunks(data: Data, vault: Bases) -> Opened:
    """Chunks of a large new file, which are written at once and kept by nobody, stay views of what came. Bases of patches are
    read from ``vault`` and pinned, but not checked: should one be damaged, what comes out of it has another name than the commit.

    Raises ``WireError`` for a length, codec, kind or patch that is not believed, ``BaseUnknown``, and ``ChunksMissing`` with the
    name of a base that is damaged here."""
    stored: list[StoredChunk] = []
    raws: list[bytes | memoryview] = []
    bases: list[bytes] = []

    def came(name: bytes) -> bytes | None:
        found = next((raw for chunk, raw in zip(stored, raws, strict=True) if chunk.name == name), None)
        return None if found is None else bytes(found)

    for kind, codec, raw_length, part in data.chunks():
        if data.content and codec == RAW:
            check_length(raw_length, part)
            stored.append(StoredChunk(compute_name(kind, part), kind, codec, raw_length, part))
            raws.append(part)
            continue
        payload = bytes(part)
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
