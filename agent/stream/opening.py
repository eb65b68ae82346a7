"""Chunks as they came, opened: decompressed within bounds, and named by what they are."""

from __future__ import annotations

from agent.store.codec import compute_name, unpack
from agent.store.vault import StoredChunk
from agent.stream.messages import Data


def open_chunks(data: Data) -> tuple[list[StoredChunk], list[bytes]]:
    """The chunks to store and their bytes in the clear. Raises ``WireError`` for a length, codec or kind that is not
    believed."""
    stored: list[StoredChunk] = []
    raws: list[bytes] = []
    for kind, codec, raw_length, payload in data.chunks():
        raw = unpack(codec, raw_length, payload)
        stored.append(StoredChunk(compute_name(kind, raw), kind, codec, raw_length, payload))
        raws.append(raw)
    return stored, raws
