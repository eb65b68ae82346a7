"""How much of the vault is kept for one generation alone?

Counted are the chunks of those versions of files that are seen at its commit and at no other readable moment, but for those that
the file had before and has after it: so it costs what changed around it. A chunk that another file has too is counted
nevertheless: the figure is what goes at most.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from agent.core import chunks
from agent.core.chunks import PIECE
from agent.core.errors import Damaged, NotFound, WireError
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.rows import content_of
from agent.store.catalog.reader import CatalogReader
from agent.store.vault.pack import HEADER_SIZE, Place

#: Versions that are looked at for all generations together: a second or two.
VERSIONS_MOST = 50_000


class Places(Protocol):
    """What is asked of a vault."""

    def place_of(self, name: bytes) -> Place | None:
        """Where a chunk lies now."""
        ...

    def read_base(self, name: bytes) -> bytes:
        """The bytes of a chunk, checked."""
        ...


class OwnBytes(NamedTuple):
    """What one generation alone has: ``stored`` as it lies in the packs, ``content`` of it as files hold it."""

    stored: int
    content: int

    def shared(self, total: int) -> int:
        """What other moments have too of ``total`` bytes that files hold."""
        return max(0, total - self.content)


def own_bytes(
    catalog: CatalogReader, vault: Places, numbers: Iterable[CommitNumber], most: int = VERSIONS_MOST
) -> dict[CommitNumber, OwnBytes | None]:
    """By commit; None where ``most`` versions were looked at before its turn came, the newest first."""
    horizon = catalog.horizon()
    readable = sorted({*catalog.readable_before_horizon(), horizon})
    found: dict[CommitNumber, OwnBytes | None] = {}
    for number in sorted(numbers, reverse=True):
        if number >= horizon:
            # Every moment around it can be read.
            found[number] = OwnBytes(0, 0)
            continue
        at = bisect_left(readable, number)
        before = CommitNumber(readable[at - 1]) if at else NOTHING
        after = CommitNumber(next(one for one in readable[at:] if one > number))
        versions = catalog.versions_between(before, number, after, most)
        if versions is None:
            found[number], most = None, 0
            continue
        most -= len(versions)
        own = set[bytes]()
        for version in versions:
            kept = {name for moment in (before, after) for name in _names(catalog, vault, version.id, moment)}
            own |= _below(vault, version.content, kept)
        found[number] = _sum(place for name in own if (place := vault.place_of(name)))
    return found


def _sum(places: Iterable[Place]) -> OwnBytes:
    stored = content = 0
    for place in places:
        stored += HEADER_SIZE + place.stored_length
        content += place.raw_length if place.kind != PIECE else 0
    return OwnBytes(stored, content)


def _names(catalog: CatalogReader, vault: Places, id: ObjectId, moment: CommitNumber) -> set[bytes]:
    raw = catalog.holder(id, moment) if moment else None
    return _below(vault, content_of(raw), set()) if raw is not None else set()


def _below(vault: Places, content: bytes, without: set[bytes]) -> set[bytes]:
    """The names of a file's chunks and lists but for those of ``without``, and what stands below them."""
    found: set[bytes] = set()
    waiting = chunks.names_in(content)
    while waiting:
        kind, name = waiting.pop()
        if name in found or name in without:
            continue
        found.add(name)
        if kind == PIECE:
            try:
                waiting += chunks.names_in(vault.read_base(name))
            except (Damaged, NotFound, WireError):
                continue
    return found
