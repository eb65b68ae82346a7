"""Chunks as they came, opened: decompressed within bounds, rebuilt where they are patches, and named by what they are."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple, TypeAlias

from agent.core.errors import Damaged, NotFound
from agent.core.patch import bases_of
from agent.store.vault.codec import RAW, check_length, compute_name, is_patch, unpack
from agent.store.vault.patch_chains import Bases, received
from agent.store.vault.vault import StoredChunk
from agent.stream.messages import Data
from agent.stream.receiving.presence import ChunksMissing, unreadable


class Opened(NamedTuple):
    """What came: the chunks to store, their bytes in the clear, and the names of what those that are patches were made of."""

    stored: list[StoredChunk]
    raws: list[bytes | memoryview]
    bases: list[bytes]


#: A chunk to store, and its bytes in the clear.
_One: TypeAlias = tuple[StoredChunk, bytes | memoryview]


def open_chunks(data: Data, vault: Bases, owner: Hashable, look: Callable[[], None]) -> Opened:
    """Chunks of a large new file, which are written at once and kept by nobody, stay views of what came. Bases of patches are
    read from ``vault`` and pinned for ``owner``, but not checked: should one be damaged, what comes out has another name than the
    commit. ``look`` is called before each patch, which may take long to rebuild, and raises what is to end that.

    Raises ``WireError`` for a length, codec, kind or patch that is not believed, ``BaseUnknown``, and ``ChunksMissing`` with the
    name of a base that is damaged here."""
    stored: list[StoredChunk] = []
    raws: list[bytes | memoryview] = []
    bases: list[bytes] = []
    keep = not data.content
    came: dict[bytes, bytes | memoryview] = {}
    for kind, codec, raw_length, part in data.chunks():
        if is_patch(codec):
            look()
            payload = bytes(part)
            chunk, raw = _rebuilt(vault, owner, (kind, codec, raw_length, payload), came, look)
            bases.extend(bases_of(payload))
        else:
            chunk, raw = _whole(kind, codec, raw_length, part, keep)
        came[chunk.name] = raw
        stored.append(chunk)
        raws.append(raw)
    return Opened(stored, raws, bases)


def _whole(kind: int, codec: int, raw_length: int, part: bytes | memoryview, keep: bool) -> _One:
    """A chunk that came whole, and its bytes. ``keep``: not as views of what came, or a little would keep much."""
    if codec == RAW and not keep:
        check_length(raw_length, part)
        return StoredChunk(compute_name(kind, part), kind, codec, raw_length, part), part
    payload = bytes(part)
    raw = unpack(codec, raw_length, payload)
    return StoredChunk(compute_name(kind, raw), kind, codec, raw_length, payload), raw


def _rebuilt(
    vault: Bases,
    owner: Hashable,
    patch: tuple[int, int, int, bytes],
    came: dict[bytes, bytes | memoryview],
    look: Callable[[], None],
) -> _One:
    """A chunk that came as a patch (kind, codec, length, payload), and its bytes; ``came``: those that came with it."""

    def with_it(name: bytes) -> bytes | None:
        found = came.get(name)
        return None if found is None else bytes(found)

    try:
        return received(vault, *patch, came=with_it, owner=owner)
    except (Damaged, NotFound) as error:
        lost = unreadable(vault, bases_of(patch[3]), look)
        raise ChunksMissing(f"what a patch is made of cannot be read: {error.reason}", lost) from error
