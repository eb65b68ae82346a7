"""Content as a list of named runs.

A chunk list is the canonical bytes of a file's content: entries in file order, without gaps::

    data   00  length u32  name 32      a chunk: BLAKE3-256 of its bytes
    hole   01  length u64               reads as zeros and takes no room
    piece  02  length u64  name 32      `length` bytes of the file, described by a further chunk list, which is
                                        itself stored as a chunk named by BLAKE3 in a context of its own

All integers are big-endian. Adjacent holes are merged. A list of at most ``FLAT_LIMIT`` entries is flat; a longer one
is cut into pieces where a name's low bits are zero, level by level until there are at most ``PIECE_LIMIT``, so that one
more version of a large file costs what changed: short pieces, since every level of a change is told and kept anew
(docs/decisions/0030).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from blake3 import blake3

from agent.core.errors import WireError
from agent.core.ids import ObjectId

NAME_SIZE = 32
FLAT_LIMIT = 32
#: A piece ends after its least entries where a name ends in two zero bits (6 entries on average), and at the limit.
PIECE_LEAST, PIECE_LIMIT, _CUT_BITS = 3, 12, 3
MAX_CHUNK = 1 << 20
#: Bytes of a chunk of a device, and of how many of them one may consist.
DEVICE_CHUNK = 1 << 16
DEVICE_CHUNKS_MAX = 1 << 46
#: Levels of pieces in pieces below a file's list: names that end every piece at its least entries need as many of them for
#: ``UNFOLDED_MAX``.
LEVELS = 16
_UNREADABLE_CONTEXT = "hikae v1 unreadable chunk of a device"
#: Data and hole entries that a file's list may unfold to: 16 TiB of chunks of 64 KiB, 64 TiB of those of a large file.
UNFOLDED_MAX = 1 << 28

DATA, HOLE, PIECE = 0, 1, 2
_DATA = struct.Struct(">BI32s")
_HOLE = struct.Struct(">BQ")
_PIECE = struct.Struct(">BQ32s")
#: Bytes of a list that is one chunk, as most are, and its ``(DATA, length, name)``, without decoding it.
ONE_SIZE = _DATA.size
one_chunk: Callable[[bytes], tuple[int, int, bytes]] = _DATA.unpack
_LIST_CONTEXT = "hikae v1 chunk list"
#: Bytes of the longest piece that :func:`fold` makes.
PIECE_MAX = PIECE_LIMIT * _PIECE.size


# Tuples, not dataclasses: one is made for every chunk of a list that is opened (docs/decisions/0058).
class Chunk(NamedTuple):
    """A stretch of content, as a list has it: ``kind``: ``DATA``, ``HOLE`` or ``PIECE``; ``length``: bytes of the file that it
    stands for; ``name``: of its bytes, empty for a hole."""

    kind: int
    length: int
    name: bytes = b""


#: A ``Chunk`` of the tuple that a struct gives, by no code of ours; the lengths of many.
_chunk: Callable[[tuple[int, int, bytes]], Chunk] = partial(tuple.__new__, Chunk)
_length: Callable[[Chunk], int] = itemgetter(1)
#: Of lists that hold one kind alone, as nearly all do: their form, and the most that an entry stands for.
_ALIKE = {DATA: (_DATA, MAX_CHUNK), PIECE: (_PIECE, (1 << 63) - 1)}


#: Told which pieces are read next, by name.
PiecesAhead: TypeAlias = Callable[[Sequence[bytes]], None]


class ChunkRef(NamedTuple):
    """Where a chunk's bytes stood when they were captured: ``length`` bytes of ``object`` at ``offset``.

    For a ``PIECE`` the catalog keeps the bytes; object, offset and length say nothing then. Of a device ``object`` is the chunk's
    number."""

    name: bytes
    kind: int
    object: ObjectId
    offset: int
    length: int


def unreadable_name(number: int) -> bytes:
    """The name that a device's chunk has while it cannot be read: no content has it, so its row is owed (law 9)."""
    return blake3(number.to_bytes(8, "big"), derive_key_context=_UNREADABLE_CONTEXT).digest()


def device_extent(number: int) -> bytes:
    """A device's chunk as people are told of it."""
    begin = (number - 1) * DEVICE_CHUNK
    return b"bytes %d-%d" % (begin, begin + DEVICE_CHUNK - 1)


def name_of(data: bytes | memoryview) -> bytes:
    """The chunk name of data: BLAKE3-256."""
    return blake3(data).digest()


def name_of_list(data: bytes | memoryview) -> bytes:
    """The name of a stored chunk list: BLAKE3 in its own context, so data cannot pass for a list."""
    return blake3(data, derive_key_context=_LIST_CONTEXT).digest()


def encode(entries: Iterable[Chunk]) -> bytes:
    """The bytes of a flat list of these chunks."""
    out = []
    for entry in entries:
        if entry.kind == DATA:
            out.append(_DATA.pack(DATA, entry.length, entry.name))
        elif entry.kind == HOLE:
            out.append(_HOLE.pack(HOLE, entry.length))
        else:
            out.append(_PIECE.pack(PIECE, entry.length, entry.name))
    return b"".join(out)


def encode_one(length: int, name: bytes) -> bytes:
    """The chunk list of a file that is a single chunk; the common case, without a ``Chunk``."""
    return _DATA.pack(DATA, length, name)


def decode_one(data: bytes) -> tuple[int, bytes] | None:
    """Length and name of the only chunk of a list that :func:`encode_one` wrote; None of any other list."""
    if len(data) != ONE_SIZE or data[0] != DATA:
        return None
    _, length, name = _DATA.unpack(data)
    return length, name


def decode(data: bytes) -> list[Chunk]:
    """The chunks of a list as they stand (pieces are not opened).

    Raises ``WireError`` for anything that :func:`encode` would not have written."""
    return _decoded_alike(data) or _decoded(data)


def _decoded_alike(data: bytes) -> list[Chunk]:
    """:func:`decode` of a list that has no fault and one kind of entries; nothing of any other."""
    kind = data[0] if data else HOLE
    if kind not in _ALIKE:
        return []
    form, most = _ALIKE[kind]
    if len(data) % form.size:
        return []
    entries = list(map(_chunk, form.iter_unpack(data)))
    for found, length, _ in entries:
        if found != kind or not 0 < length <= most:
            return []
    return entries


def _decoded(data: bytes) -> list[Chunk]:
    entries: list[Chunk] = []
    at, end = 0, len(data)
    last_hole = False
    while at < end:
        kind = data[at]
        try:
            if kind == DATA:
                _, length, name = _DATA.unpack_from(data, at)
                at += _DATA.size
                if length > MAX_CHUNK:
                    raise _bad(f"a chunk of {length} bytes")
            elif kind == HOLE:
                _, length = _HOLE.unpack_from(data, at)
                name = b""
                at += _HOLE.size
                if last_hole:
                    raise _bad("two holes side by side")
            elif kind == PIECE:
                _, length, name = _PIECE.unpack_from(data, at)
                at += _PIECE.size
            else:
                raise _bad(f"an entry of kind {kind}")
        except struct.error as error:
            raise _bad("an entry that is cut short") from error
        if length == 0 or length >= 1 << 63:
            raise _bad(f"an entry of {length} bytes")
        last_hole = kind == HOLE
        entries.append(Chunk(kind, length, name))
    return entries


def length_of(data: bytes) -> int:
    """The file size that a list describes."""
    return covered(decode(data))


def covered(entries: Iterable[Chunk]) -> int:
    """How many bytes of the file entries stand for together."""
    return sum(map(_length, entries))


def names_in(data: bytes) -> list[tuple[int, bytes]]:
    """``(kind, name)`` of every chunk and piece that a list names, in order, without opening pieces."""
    if len(data) == ONE_SIZE and data[0] == DATA:
        return [(DATA, one_chunk(data)[2])]
    return [(entry.kind, entry.name) for entry in decode(data) if entry.kind != HOLE]


def pieces_in(data: bytes) -> list[bytes]:
    """The names of the pieces that a list names, in order, without opening them; also of one that is none of ours, with data
    beside pieces."""
    return [name for kind, name in names_in(data) if kind == PIECE]


def ends_piece(count: int, name: bytes) -> bool:
    """Whether a piece of so many entries ends with the one of this name (empty for a hole)."""
    return count >= PIECE_LIMIT or (count >= PIECE_LEAST and name != b"" and not name[-1] & _CUT_BITS)


def fold(entries: list[Chunk], keep: Callable[[bytes, bytes], None]) -> bytes:
    """The chunk list for ``entries`` (data and holes of a whole file); every piece is given to ``keep(name, bytes)``."""
    limit = FLAT_LIMIT
    while len(entries) > limit:
        upper: list[Chunk] = []
        run: list[Chunk] = []
        for entry in entries:
            run.append(entry)
            if ends_piece(len(run), entry.name):
                upper.append(_piece(run, keep))
                run = []
        if run:
            upper.append(_piece(run, keep))
        entries, limit = upper, PIECE_LIMIT
    return encode(entries)


def unfold(data: bytes, piece: Callable[[bytes], bytes], ahead: PiecesAhead | None = None) -> Iterator[Chunk]:
    """The data and holes of a list in file order; pieces are read by ``piece(name)``, at most ``LEVELS`` deep. ``ahead`` is told
    the names of pieces that stand side by side, which are read next.

    Raises ``WireError`` when a piece does not cover the length that is claimed for it."""
    return _unfold(decode(data), piece, ahead)


def _begun(entries: list[Chunk], ahead: PiecesAhead | None) -> Iterator[Chunk]:
    # A list that has pieces has nothing else, and a piece the like; one that is longer than any of ours is read piece by piece.
    if ahead is not None and 1 < len(entries) <= PIECE_LIMIT and entries[0].kind == PIECE:
        ahead([entry.name for entry in entries if entry.kind == PIECE])
    return iter(entries)


def opened(entry: Chunk, piece: Callable[[bytes], bytes], depth: int) -> list[Chunk]:
    """The chunks of a piece, which stands ``depth`` levels deep (from 1); raises as :func:`unfold`."""
    if depth > LEVELS:
        raise _bad("pieces in pieces without an end")
    inner = decode(piece(entry.name))
    if len(inner) > PIECE_LIMIT:
        raise _bad(f"a piece of {len(inner):,} entries")
    if covered(inner) != entry.length:
        raise _bad("a piece that covers another length than claimed")
    return inner


def _unfold(entries: list[Chunk], piece: Callable[[bytes], bytes], ahead: PiecesAhead | None) -> Iterator[Chunk]:
    # Not a generator in a generator: each entry would come up through all of them.
    levels = [_begun(entries, ahead)]
    while levels:
        for entry in levels[-1]:
            if entry.kind == PIECE:
                levels.append(_begun(opened(entry, piece, len(levels)), ahead))
                break
            yield entry
        else:
            levels.pop()


def _piece(run: list[Chunk], keep: Callable[[bytes, bytes], None]) -> Chunk:
    data = encode(run)
    name = name_of_list(data)
    keep(name, data)
    return Chunk(PIECE, covered(run), name)


def _bad(what: str) -> WireError:
    return WireError("read a chunk list", "", f"it holds {what}", "the sender is faulty or hostile; nothing was stored")
