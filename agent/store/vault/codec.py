"""One chunk as it travels and lies in a pack: packed where that helps, opened within bounds, believed by its name."""

from __future__ import annotations

import sys
import threading
from typing import NamedTuple

from agent.core import patch
from agent.core.chunks import DATA, MAX_CHUNK, PIECE, name_of, name_of_list
from agent.core.errors import WireError
from agent.core.patch import Patch, Runs

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: Codecs. The last two are patches (``core.patch``), their body as it is or packed.
RAW, ZSTD, PATCH, PATCH_ZSTD = 0, 1, 2, 3

#: Of zstd, where nobody waits.
QUICK = 1
_SMALL = 128  #: bytes; below, a frame's own cost eats what it saves
#: Of a program's bytes, a sample of 1 KiB foretells 99.5 % of chunks of 4 to 16 KiB rightly, one of 512 bytes 85 %.
_SAMPLE, _SAMPLE_MAX = 1024, 4096
_WORTH = 0.9  #: compressed size over raw size that is still worth it
PATCH_WORTH = 0.75  #: a patch's size over the chunk's that is still clearly smaller

_local = threading.local()


class StoredChunk(NamedTuple):
    """A chunk under its name. ``kind``: ``chunks.DATA`` or ``chunks.PIECE``; ``codec``: how ``stored`` holds
    ``raw_length`` bytes, only with ``RAW`` perhaps as a view; ``depth``: how many other records are read to rebuild it from, 0
    for a whole one."""

    name: bytes
    kind: int
    codec: int
    raw_length: int
    stored: bytes | memoryview
    depth: int = 0


def pack_chunk(name: bytes, kind: int, raw: bytes, level: int = QUICK) -> StoredChunk:
    """The chunk as it is to be sent and stored: compressed where that saves a tenth at least.

    A list holds names, of which hardly anything is saved."""
    length = len(raw)
    if kind == DATA and length >= _SMALL and _seems_worth_it(raw):
        packed = _compress(raw, level)
        if len(packed) <= length * _WORTH:
            return StoredChunk(name, kind, ZSTD, length, packed)
    return StoredChunk(name, kind, RAW, length, raw)


def pack_patch(name: bytes, kind: int, raw: bytes, runs: Runs) -> StoredChunk | None:
    """The chunk as a patch, its depth to be found out; None where that is not clearly smaller than its bytes."""
    limit = len(raw) * PATCH_WORTH
    if not runs or len(runs) > patch.RUNS_MAX or patch.literal_bytes(runs) > limit:
        return None
    if len({run.base for run in runs if run.base}) > patch.BASES_MAX:
        return None
    head, body = patch.head_and_body(runs, raw)
    codec = PATCH
    if len(body) >= _SMALL and _seems_worth_it(body):
        packed = _compress(body)
        if len(packed) <= len(body) * _WORTH:
            codec, body = PATCH_ZSTD, packed
    if len(head) + len(body) > limit:
        return None
    return StoredChunk(name, kind, codec, len(raw), head + body)


def is_patch(codec: int) -> bool:
    """Whether what lies in this codec is rebuilt from other chunks."""
    return codec in (PATCH, PATCH_ZSTD)


def open_patch(codec: int, raw_length: int, stored: bytes) -> Patch:
    """A patch as it travels and lies in a pack. Raises ``WireError``."""
    size = patch.head_size(stored)
    body = stored[size:]
    if codec == PATCH_ZSTD:
        body = _expand(body, min(raw_length, MAX_CHUNK) + patch.OVERHEAD_MAX)
    return patch.parse(stored[:size], body, raw_length)


def open_chunk(chunk: StoredChunk) -> bytes:
    """The bytes of a stored chunk, unpacked by its codec; they are what its name says.

    Raises ``WireError``: too long, of an unknown kind or codec, no valid frame, more bytes than claimed, another
    name."""
    raw = unpack(chunk.codec, chunk.raw_length, bytes(chunk.stored))
    if compute_name(chunk.kind, raw) != chunk.name:
        raise _bad("bytes that are not what their name says")
    return raw


def unpack(codec: int, raw_length: int, stored: bytes) -> bytes:
    """Exactly ``raw_length`` bytes, never more in memory. Raises ``WireError``."""
    if not 0 < raw_length <= MAX_CHUNK:
        raise _bad(f"a chunk of {raw_length} bytes")
    raw = stored if codec == RAW else _decompress(codec, raw_length, stored)
    check_length(raw_length, raw)
    return raw


def check_length(raw_length: int, raw: bytes | memoryview) -> None:
    """A chunk has as many bytes as claimed, and not too many. Raises ``WireError``."""
    if len(raw) != raw_length or not 0 < raw_length <= MAX_CHUNK:
        raise _bad("a chunk of another length than claimed")


def compute_name(kind: int, raw: bytes | memoryview) -> bytes:
    """The name that bytes of this kind have. Raises ``WireError`` for an unknown kind."""
    if kind == DATA:
        return name_of(raw)
    if kind == PIECE:
        return name_of_list(raw)
    raise _bad(f"a chunk of kind {kind}")


def _seems_worth_it(raw: bytes) -> bool:
    """A sample from the middle stands for the rest: most of what is incompressible (media, archives) is so
    everywhere."""
    length = len(raw)
    if length <= 4 * _SAMPLE:
        return True
    sample = min(max(length // 16, _SAMPLE), _SAMPLE_MAX)
    start = (length - sample) // 2
    return len(_compress(raw[start : start + sample])) <= sample * _WORTH


def _compress(raw: bytes, level: int = QUICK) -> bytes:
    """One frame; the compressor of each level is kept per thread, as making one costs more than a small chunk."""
    kept: dict[int, zstd.ZstdCompressor] | None = getattr(_local, "compressors", None)
    if kept is None:
        kept = _local.compressors = {}
    compressor = kept.get(level)
    if compressor is None:
        compressor = kept[level] = zstd.ZstdCompressor(level=level)
    compressor.set_pledged_input_size(len(raw))
    return compressor.compress(raw, zstd.ZstdCompressor.FLUSH_FRAME)


def _decompress(codec: int, raw_length: int, stored: bytes) -> bytes:
    if codec != ZSTD:
        raise _bad(f"a chunk in codec {codec}")
    return _expand(stored, raw_length)


def _expand(stored: bytes, limit: int) -> bytes:
    """One whole frame of at most ``limit`` bytes; longer ones are refused."""
    decompressor = zstd.ZstdDecompressor()
    try:
        raw = decompressor.decompress(stored, max_length=limit + 1)
    except zstd.ZstdError as error:
        raise _bad("a chunk that cannot be decompressed") from error
    if not decompressor.eof or decompressor.unused_data:
        raise _bad("a chunk of another length than claimed")
    return raw


def _bad(what: str) -> WireError:
    return WireError("open a chunk", "", f"it is {what}", "the sender is faulty or hostile; nothing was stored")
