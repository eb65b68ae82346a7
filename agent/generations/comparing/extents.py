"""The difference of two moments of a device: which ranges of it changed, came, or became zeros."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from agent.core.chunks import DEVICE_CHUNK
from agent.core.ids import CommitNumber
from agent.core.rows import chunk_number_of_key, decode_chunk
from agent.generations.comparing.change import ChangeKind
from agent.store.catalog.reader import CatalogReader


class ChangedExtent(NamedTuple):
    """Bytes from ``start`` to before ``end``, in chunks of 64 KiB. ``ADDED``: they were zeros, or behind the end; ``DELETED``:
    they are now."""

    kind: ChangeKind
    start: int
    end: int


def extents_between(
    reader: CatalogReader, old: CommitNumber, new: CommitNumber, look: Callable[[], None]
) -> Iterator[ChangedExtent]:
    """What makes the device of ``old`` that of ``new``, by where it lies; ``old`` may be the later one. Neighbours that changed
    alike are one extent. ``look`` is called now and then, and raises what is to end it. Raises as
    ``CatalogReader.difference``."""
    gathered: ChangedExtent | None = None
    for one in _by_chunks(reader, old, new, look):
        if gathered is not None and gathered.kind is one.kind and gathered.end == one.start:
            gathered = gathered._replace(end=one.end)
            continue
        if gathered is not None:
            yield gathered
        gathered = one
    if gathered is not None:
        yield gathered


def _by_chunks(
    reader: CatalogReader, old: CommitNumber, new: CommitNumber, look: Callable[[], None]
) -> Iterator[ChangedExtent]:
    # From the later one to the earlier: in that direction differences always come by number.
    for batch in reader.difference(max(old, new), min(old, new)):
        look()
        for key, at_later, at_earlier in batch:
            was, now = (at_earlier, at_later) if old < new else (at_later, at_earlier)
            start = (chunk_number_of_key(key) - 1) * DEVICE_CHUNK
            end = max(decode_chunk(row).end for row in (was, now) if row is not None)
            kind = ChangeKind.ADDED if was is None else ChangeKind.DELETED if now is None else ChangeKind.CHANGED
            yield ChangedExtent(kind, start, end)
