"""Which chunks content consists of, and where each stands: in its file, or in the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from agent.core import chunks
from agent.core.chunks import ChunkRef
from agent.core.errors import WireError
from agent.core.ids import ObjectId
from agent.core.rows import CHUNK_TAG, NAME_TAG, content_of, decode_chunk, object_columns, tag_of

_READ_BYTES = 4 << 20


def bytes_in(refs: Sequence[ChunkRef]) -> int:
    """Bytes of content that these stand for; pieces count nothing."""
    return sum(ref.length for ref in refs if ref.kind == chunks.DATA)


def row_references(old: bytes | None, new: bytes, piece: Callable[[bytes], bytes | None]) -> Iterator[ChunkRef]:
    """:func:`references` of a row ``new`` without those of the row ``old`` of its key: of a regular file, or that of a device's
    chunk; none of all else. Raises ``WireError``."""
    tag = tag_of(new)
    if tag == NAME_TAG:
        return
    if tag == CHUNK_TAG:
        chunk = decode_chunk(new)
        if old is None or decode_chunk(old).name != chunk.name:
            yield ChunkRef(chunk.name, chunks.DATA, chunk.id, chunk.offset, chunk.length)
    elif content := content_of(new):
        yield from references(ObjectId(object_columns(new)[0]), content, content_of(old or b""), piece)


def references(
    object_id: ObjectId, content: bytes, older: bytes, piece: Callable[[bytes], bytes | None]
) -> Iterator[ChunkRef]:
    """Every chunk and piece of ``content`` in file order, without those that the list ``older`` names at its top, since
    who holds that version holds them and all below. Pieces come before what they name.

    Raises ``WireError`` when a piece is not kept."""
    if len(content) == chunks.ONE_SIZE and content[0] == chunks.DATA:
        if content != older:
            _, length, name = chunks.one_chunk(content)
            yield ChunkRef(name, chunks.DATA, object_id, 0, length)
        return
    known = {name for _, name in chunks.names_in(older)}
    yield from _walk(object_id, content, 0, known, piece, chunks.LEVELS)


def _walk(
    object_id: ObjectId,
    content: bytes,
    offset: int,
    known: set[bytes],
    piece: Callable[[bytes], bytes | None],
    depth: int,
) -> Iterator[ChunkRef]:
    for entry in chunks.decode(content):
        if entry.kind != chunks.HOLE and entry.name not in known:
            yield ChunkRef(entry.name, entry.kind, object_id, offset, entry.length)
            if entry.kind == chunks.PIECE:
                inner = piece(entry.name)
                if inner is None or not depth:
                    raise WireError("read the catalog", entry.name.hex(), "a part of a long chunk list is not kept")
                yield from _walk(object_id, inner, offset, known, piece, depth - 1)
        offset += entry.length


def by_bytes(refs: Sequence[ChunkRef]) -> Iterator[list[ChunkRef]]:
    """Runs of about 4 MiB, so that what is read at once is bounded."""
    run: list[ChunkRef] = []
    size = 0
    for ref in refs:
        run.append(ref)
        size += min(ref.length, chunks.MAX_CHUNK)
        if size >= _READ_BYTES:
            yield run
            run, size = [], 0
    if run:
        yield run
