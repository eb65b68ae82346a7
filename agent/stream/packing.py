"""Fewer bytes for the same words: rows packed, and names left out that the rows beside them hold anyway.

Whoever has most of a dataset's content already (an adopted tree) is told rows and asked names, hardly anything else; a name that
travels twice, and that nothing can compress, would be most of it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from agent.core import chunks
from agent.core.errors import WireError
from agent.core.rows import content_of
from agent.stream.messages import NAMES_MAX, RAW, ROWS_MAX, ZSTD, Offer, bad

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: Bytes of rows below which packing is not worth a frame.
_WORTH_FROM = 512
_LEVEL = 3


def pack_rows(blob: bytes) -> tuple[int, bytes]:
    """``(codec, bytes as they travel)``."""
    if len(blob) < _WORTH_FROM:
        return RAW, blob
    packed = zstd.compress(blob, level=_LEVEL)
    return (ZSTD, packed) if len(packed) < len(blob) else (RAW, blob)


def open_rows(offer: Offer) -> bytes:
    """The rows blob of an offer in the clear, never more than was claimed in memory. Raises ``WireError``."""
    if offer.codec == RAW:
        return offer.rows
    if offer.codec != ZSTD or not 0 < offer.rows_length <= ROWS_MAX:
        raise bad("rows that are packed in an unknown way")
    decompressor = zstd.ZstdDecompressor()
    try:
        blob = decompressor.decompress(offer.rows, max_length=offer.rows_length + 1)
    except zstd.ZstdError as error:
        raise bad("rows that cannot be opened") from error
    if len(blob) != offer.rows_length or not decompressor.eof or decompressor.unused_data:
        raise bad("rows of another length than claimed")
    return blob


def implied_names(puts: Sequence[bytes]) -> tuple[tuple[int, bytes], ...]:
    """``(kind, name)`` of every chunk and piece that the rows put name themselves, in their order; both sides compute it.

    Raises ``WireError`` for rows that are none, or name more than may be asked at once."""
    names: list[tuple[int, bytes]] = []
    for raw in puts:
        if content := content_of(raw):
            names += chunks.names_in(content)
            if len(names) > NAMES_MAX:
                raise WireError("read from the peer", "", "it implies more names than may be asked at once", "")
    return tuple(names)
