"""What a node remembers of a device's chunks, so that what changed is found at memory speed and told page by page.

A print, as it is kept (16 + 8 bytes, and 8 for each page)::

    xxh3_128 of the chunk   the first 8 bytes of the chunk's name   xxh3_64 of each of its 4 KiB pages

It says of itself which chunk it is of. So whatever a power cut brings back, an older print than the catalog's row names another
chunk, and is believed nothing.
"""

from __future__ import annotations

from xxhash import xxh3_64_digest, xxh3_128_digest

from agent.core.chunks import DEVICE_CHUNK, NAME_SIZE
from agent.core.patch import PAGE, PatchRange, Runs, joined

#: Buffers that hash without a copy.
Bytes = bytes | memoryview
_WHOLE, _NAMED = 16, 24
_PAGE_PRINT = 8
ZEROS = bytes(DEVICE_CHUNK)


def chunk_print(data: Bytes, seed: int) -> bytes:
    """What tells whether a chunk's bytes are those of before."""
    return xxh3_128_digest(data, seed)


def whole_print(first: bytes, name: bytes, data: Bytes, seed: int) -> bytes:
    """The print to be kept of the chunk ``name``; ``first``: its :func:`chunk_print`."""
    pages = [xxh3_64_digest(data[at : at + PAGE], seed) for at in range(0, len(data), PAGE)]
    return b"".join((first, name[: _NAMED - _WHOLE], *pages))


def is_of(kept: bytes, name: bytes) -> bool:
    """Whether a kept print is that of the chunk ``name``."""
    return kept[_WHOLE:_NAMED] == name[: _NAMED - _WHOLE]


def is_known_chunk(kept: bytes, found: bytes, name: bytes) -> bool:
    """Whether what was ``found`` is the chunk ``name``, as far as this print knows it."""
    return kept[:_NAMED] == found + name[: _NAMED - _WHOLE]


def pages_between(kept: bytes, now: bytes, base: bytes, length: int) -> Runs:
    """How a chunk with the print ``now`` is made of the chunk ``base`` with the print ``kept``; empty where no page is the same,
    or nothing is known of ``base``."""
    assert len(base) == NAME_SIZE
    if len(kept) != len(now) or not is_of(kept, base):
        return ()
    runs = []
    for at, place in zip(range(0, length, PAGE), range(_NAMED, len(now), _PAGE_PRINT), strict=True):
        same = kept[place : place + _PAGE_PRINT] == now[place : place + _PAGE_PRINT]
        runs.append(PatchRange(base if same else b"", at if same else 0, min(PAGE, length - at)))
    return joined(runs)
