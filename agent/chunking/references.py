"""Which chunks an object's content consists of, and where each stands in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from agent.core import chunks
from agent.core.chunks import ChunkRef
from agent.core.errors import WireError
from agent.core.ids import ObjectId
from agent.core.rows import decode_object, is_object

_READ_BYTES = 4 << 20
_FILE_TYPE, _REGULAR = 0o170000, 0o100000


def row_references(old: bytes | None, new: bytes, piece: Callable[[bytes], bytes | None]) -> Iterator[ChunkRef]:
    """:func:`references` of an object's row ``new`` without those of its row ``old``; none for what is no regular file, or a
    name's row. Raises ``WireError``."""
    if not is_object(new):
        return
    row = decode_object(new)
    if row.mode & _FILE_TYPE == _REGULAR and row.content:
        older = decode_object(old).content if old is not None else b""
        yield from references(row.id, row.content, older, piece)


def references(
    object_id: ObjectId, content: bytes, older: bytes, piece: Callable[[bytes], bytes | None]
) -> Iterator[ChunkRef]:
    """Every chunk and piece of ``content`` in file order, without those that the list ``older`` names at its top, since
    who holds that version holds them and all below. Pieces come before what they name.

    Raises ``WireError`` when a piece is not kept."""
    if len(content) == 37 and content[0] == chunks.DATA:
        if content != older:
            yield ChunkRef(content[5:], chunks.DATA, object_id, 0, int.from_bytes(content[1:5], "big"))
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
