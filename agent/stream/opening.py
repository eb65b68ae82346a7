"""Chunks as they came, opened: decompressed within bounds, rebuilt where they are patches, and named by what they are."""

from __future__ import annotations

from agent.core.errors import Damaged, NotFound
from agent.core.patch import bases_of
from agent.store.codec import compute_name, is_patch, unpack
from agent.store.patched import Bases, received
from agent.store.vault import StoredChunk
from agent.stream.messages import Data
from agent.stream.presence import ChunksMissing


def open_chunks(data: Data, vault: Bases) -> tuple[list[StoredChunk], list[bytes]]:
    """The chunks to store and their bytes in the clear. Bases of patches are read from ``vault`` and pinned.

    Raises ``WireError`` for a length, codec, kind or patch that is not believed, ``BaseUnknown``, and ``ChunksMissing`` with the
    name of a base that is damaged here."""
    stored: list[StoredChunk] = []
    raws: list[bytes] = []

    def came(name: bytes) -> bytes | None:
        return next((raw for chunk, raw in zip(stored, raws, strict=True) if chunk.name == name), None)

    for kind, codec, raw_length, payload in data.chunks():
        if is_patch(codec):
            try:
                chunk, raw = received(vault, kind, codec, raw_length, payload, came)
            except (Damaged, NotFound) as error:
                lost = _unreadable(vault, bases_of(payload))
                raise ChunksMissing(f"what a patch is made of cannot be read: {error.reason}", lost) from error
            stored.append(chunk)
        else:
            raw = unpack(codec, raw_length, payload)
            stored.append(StoredChunk(compute_name(kind, raw), kind, codec, raw_length, payload))
        raws.append(raw)
    return stored, raws


def _unreadable(vault: Bases, names: tuple[bytes, ...]) -> tuple[bytes, ...]:
    lost: list[bytes] = []
    for name in names:
        try:
            vault.read_base(name)
        except (Damaged, NotFound):
            lost.append(name)
    return tuple(lost)
