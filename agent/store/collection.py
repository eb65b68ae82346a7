"""Collection: chunks that nothing names any more leave the vault.

Whatever any row of the catalog names stays, also rows of moments that are about to expire; so do lists' pieces with all below
them, and what a chunk is a patch of. Names are marked by ranges, so that memory is bounded: each range is one way through the
rows. What came since the last collection is young and stays, as its commit may still be under way.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from agent.core import chunks
from agent.core.errors import NotFound
from agent.store.vault.pack import PackEnd, Place
from agent.store.vault.vault import Vault

_PAGE = 2000
_PREFIXES = 1 << 16
#: Pieces whose contents were marked already, in one range.
_PASSED_MAX = 100_000


class NamingRows(Protocol):
    """What is asked of the catalog (``CatalogReader``)."""

    def chunks_named(self, batch: int) -> Iterator[list[tuple[int, bytes]]]:
        """Pages of the kinds and names of all chunks that a row names."""
        ...


@dataclass(frozen=True, slots=True)
class Collected:
    """What went: chunks, their bytes in the packs, and packs that are deleted."""

    chunks: int
    bytes: int
    packs: int


def collect(
    vault: Vault,
    catalog: NamingRows,
    before: PackEnd,
    look: Callable[[], None],
    names_at_once: int = 400_000,
) -> Collected:
    """One collection of what lies before ``before``. ``look`` is called now and then, and raises what is to end it;
    ``names_at_once``: about so many names are in memory (50 MiB).

    Raises ``Damaged`` where a list cannot be read: what is below it cannot be told, so nothing goes."""
    swept = size = 0
    in_use: Counter[int] = Counter()
    with vault.collecting() as pinned:
        for part in _ranges(vault.count(), names_at_once):
            marked = _marked(vault, catalog, pinned, part, look)
            dead, live = _dead(vault, marked, before, part, look)
            in_use.update(live)
            gone = vault.sweep(dead)
            in_use.subtract(place.pack for _, place in gone)
            swept += len(gone)
            size += sum(place.end - place.offset for _, place in gone)
        packs = vault.drop_packs(in_use, before.pack)
    return Collected(swept, size, packs)


class _Range(NamedTuple):
    """Names by their first 16 bits: from ``low`` on, below ``high``."""

    low: int
    high: int

    def holds(self, name: bytes) -> bool:
        """Whether a name falls into it."""
        return self.low <= int.from_bytes(name[:2], "big") < self.high


def _ranges(count: int, at_once: int) -> Iterator[_Range]:
    """Ranges that hold about so many of ``count`` names each; names are spread evenly."""
    parts = min(_PREFIXES, -(-count // at_once) or 1)
    bounds = [part * _PREFIXES // parts for part in range(parts + 1)]
    yield from map(_Range._make, itertools.pairwise(bounds))


def _marked(
    vault: Vault, catalog: NamingRows, pinned: frozenset[bytes], part: _Range, look: Callable[[], None]
) -> set[bytes]:
    """The names in a range that are named by rows, or by what is in use."""
    found: set[bytes] = set()
    passed: set[bytes] = set()
    in_use = [(chunks.PIECE, name) for name in pinned if vault.is_piece(name, chunks.PIECE)]
    for named in itertools.chain((in_use,), catalog.chunks_named(_PAGE)):
        look()
        _mark(vault, named, part, found, passed)
    return found


def _mark(vault: Vault, named: list[tuple[int, bytes]], part: _Range, found: set[bytes], passed: set[bytes]) -> None:
    """These and all below them."""
    while named:
        below: list[tuple[int, bytes]] = []
        for kind, name in named:
            if part.holds(name):
                found.add(name)
            if kind == chunks.PIECE and name not in passed:
                if len(passed) >= _PASSED_MAX:
                    passed.clear()
                passed.add(name)
                below += _inside(vault, name)
        named = below


def _inside(vault: Vault, piece: bytes) -> list[tuple[int, bytes]]:
    try:
        return chunks.names_in(vault.read_base(piece))
    except NotFound:
        return []  # It is owed; whoever brings it looks for all below it again.


def _dead(
    vault: Vault, marked: set[bytes], before: PackEnd, part: _Range, look: Callable[[], None]
) -> tuple[list[tuple[bytes, Place]], Counter[int]]:
    """Of a range: the old chunks that are not marked and that nothing which stays is made of, the deepest first; and how many
    chunks lie in each pack."""
    dead: dict[bytes, Place] = {}
    packs: Counter[int] = Counter()
    for name, place in _entries(vault, part):
        packs[place.pack] += 1
        if name not in marked and (place.pack, place.offset) < (before.pack, before.offset):
            dead[name] = place
    for name in sorted(dead, key=lambda name: -dead[name].depth):
        look()
        if not dead.keys() >= set(vault.needed_by(name)):
            del dead[name]
    return sorted(dead.items(), key=lambda one: -one[1].depth), packs


def _entries(vault: Vault, part: _Range) -> Iterator[tuple[bytes, Place]]:
    after = part.low.to_bytes(2, "big")
    while page := vault.entries(after, _PAGE):
        after = page[-1][0]
        for name, place in page:
            if not part.holds(name):
                return
            yield name, place
