"""Which chunks of a vault are dead: no row names them, they are not young, and nothing that stays is made of them.

Whatever any row of the catalog names stays, also rows of moments that are about to expire; so do lists' pieces with all below
them. What came since the last collection is young: its commit may still be under way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from agent.core import chunks
from agent.core.errors import NotFound
from agent.store.marks import Marks, marks_for
from agent.store.vault.pack import HEADER_SIZE, PackEnd, Place
from agent.store.vault.pack_use import PackUse
from agent.store.vault.vault import Vault

_PAGE = 2000
#: Pieces whose contents were marked already.
_PASSED_MAX = 100_000
#: Patches that were judged.
_JUDGED_MAX = 100_000
Look = Callable[[], None]


class NamingRows(Protocol):
    """What is asked of the catalog (``CatalogReader``)."""

    def chunks_named(self, batch: int) -> Iterator[list[tuple[int, bytes]]]:
        """Pages of the kinds and names of all chunks that a row names."""
        ...


class ChunkUse(Enum):
    """``SPARE``: no row names it, and one patch is made of it, into which it can be folded."""

    LIVE = auto()
    SPARE = auto()
    DEAD = auto()


@dataclass(slots=True)
class _Sum:
    live: int = 0
    chunks: int = 0
    spare: int = 0


class Doomed:
    """One marking, and what follows from it; for one thread, while ``vault.collecting()`` goes on."""

    def __init__(self, vault: Vault, before: PackEnd, names_exactly: int) -> None:
        """``before``: what lies behind is young. Up to ``names_exactly`` names are remembered one by one."""
        self._vault = vault
        self._before = (before.pack, before.offset)
        self.marks: Marks = marks_for(vault.count(), names_exactly)
        self._judged: dict[bytes, bool] = {}

    def mark(self, catalog: NamingRows, in_use: frozenset[bytes], look: Look) -> None:
        """Mark what rows name, or what ``in_use``, with all below. ``look`` is called now and then, and raises what is to end it.

        Raises ``Damaged`` where a list cannot be read: what is below it cannot be told, so nothing may go."""
        passed: set[bytes] = set()
        lists = [(chunks.PIECE, name) for name in in_use if self._vault.is_piece(name, chunks.PIECE)]
        for named in itertools.chain((lists,), catalog.chunks_named(_PAGE)):
            look()
            self._mark(named, passed)

    def _mark(self, named: list[tuple[int, bytes]], passed: set[bytes]) -> None:
        mark = self.marks.add
        while named:
            below: list[tuple[int, bytes]] = []
            for kind, name in named:
                mark(name)
                if kind == chunks.PIECE and name not in passed:
                    if len(passed) >= _PASSED_MAX:
                        passed.clear()
                    passed.add(name)
                    below += self._inside(name)
            named = below

    def _inside(self, piece: bytes) -> list[tuple[int, bytes]]:
        try:
            return chunks.names_in(self._vault.read_base(piece))
        except NotFound:
            return []  # It is owed; whoever brings it looks for all below it again.

    def use_of(self, name: bytes, place: Place) -> ChunkUse:
        """Of a chunk that lies there."""
        if name in self.marks or (place.pack, place.offset) >= self._before:
            return ChunkUse.LIVE
        patches = self._vault.needed_by(name)
        if all(self._is_dead(patch, place.depth) for patch in patches):
            return ChunkUse.DEAD
        return ChunkUse.SPARE if place.depth and len(patches) == 1 else ChunkUse.LIVE

    def is_unnamed(self, name: bytes, place: Place) -> bool:
        """Whether no row names a chunk that lies there, and it is not young."""
        return name not in self.marks and (place.pack, place.offset) < self._before

    def _is_dead(self, patch: bytes, below: int) -> bool:
        known = self._judged.get(patch)
        if known is None:
            if len(self._judged) >= _JUDGED_MAX:
                self._judged.clear()
            place = self._vault.place_of(patch)
            # Depths rise, so this ends; where they do not, something is damaged.
            known = place is None or (place.depth > below and self.use_of(patch, place) is ChunkUse.DEAD)
            self._judged[patch] = known
        return known

    def uses(self, sizes: dict[int, int], look: Look) -> tuple[PackUse, ...]:
        """What lies in each of these packs, by number with their bytes, once what is dead is gone."""
        found = {number: _Sum() for number in sizes}
        for name, place in self._entries(look):
            one = found.get(place.pack)
            if one is None or (use := self.use_of(name, place)) is ChunkUse.DEAD:
                continue
            size = HEADER_SIZE + place.stored_length
            one.live += size
            one.chunks += 1
            one.spare += size if use is ChunkUse.SPARE else 0
        return tuple(PackUse(number, sizes[number], one.live, one.chunks, one.spare) for number, one in found.items())

    def dead(self, look: Look) -> Iterator[list[tuple[bytes, Place]]]:
        """Pages of what is dead."""
        entries = self._entries(look)
        while page := list(itertools.islice(entries, _PAGE)):
            yield [one for one in page if self.use_of(*one) is ChunkUse.DEAD]

    def _entries(self, look: Look) -> Iterator[tuple[bytes, Place]]:
        after = b""
        while page := self._vault.entries(after, _PAGE):
            look()
            after = page[-1][0]
            yield from page
