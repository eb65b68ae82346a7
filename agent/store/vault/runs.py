"""Many chunks at once: records that lie beside each other in a pack are read by one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from agent.core.errors import WireError
from agent.store.vault.codec import RAW, compute_name, is_patch, unpack
from agent.store.vault.index import entries_in_order
from agent.store.vault.pack import HEADER_SIZE, Place

#: Chunks and where they lie, in the order of one pack.
Run: TypeAlias = Sequence[tuple[bytes, Place]]

#: Bytes that are read at once, and bytes between two records that are read along with them rather than passed over.
_AT_ONCE, _PASSED = 1 << 20, 16 << 10


def runs_of(places: Sequence[tuple[bytes, Place]]) -> Iterator[Run]:
    """Chunks that are stored whole, by what one call reads of them."""
    run: list[tuple[bytes, Place]] = []
    for one in entries_in_order(entry for entry in places if not is_patch(entry[1].codec)):
        place = one[1]
        if run:
            first, last = run[0][1], run[-1][1]
            near = last.pack == place.pack and place.offset - last.end <= _PASSED
            if not near or place.end - first.offset > _AT_ONCE:
                yield run
                run = []
        run.append(one)
    if run:
        yield run


def opened_run(data: bytes, start: int, run: Run) -> Iterator[tuple[bytes, bytes | memoryview]]:
    """Name and bytes of each chunk of a run, of which ``data`` was read at ``start``; what is not what its name says is left
    out."""
    whole = memoryview(data)
    for name, place in run:
        at = place.offset - start + HEADER_SIZE
        stored = whole[at : at + place.stored_length]
        try:
            raw = stored if place.codec == RAW else unpack(place.codec, place.raw_length, bytes(stored))
            if len(raw) == place.raw_length and compute_name(place.kind, raw) == name:
                yield name, raw
        except WireError:
            continue
