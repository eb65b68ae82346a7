"""Collection: chunks that nothing names any more leave the vault, and packs of which much is dead are written anew.

First what is named is marked, then what is in each pack is counted: both change nothing, and give a plan. Only then chunks are
forgotten, empty packs go, and what is to be rewritten is.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from agent.core.errors import TryAgain
from agent.store.compaction import Compacted, compact
from agent.store.doomed import Doomed, Look, NamingRows
from agent.store.vault.pack import PackEnd, Place
from agent.store.vault.pack_use import USUAL, CompactionLimits, CompactionPlan, plan_compaction
from agent.store.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class CollectionLimits:
    """``room``: bytes that may be written before any comes back. ``names_exactly``: up to so many names are marked one by one (50
    MiB), more nearly (``store.marks``)."""

    room: int
    names_exactly: int = 400_000
    compaction: CompactionLimits = USUAL


@dataclass(frozen=True, slots=True)
class Collected:
    """What went: chunks, their bytes in the packs, and packs that are deleted; what was rewritten for it."""

    chunks: int
    bytes: int
    packs: int
    compacted: Compacted


def plan_collection(
    vault: Vault, catalog: NamingRows, before: PackEnd, look: Look, limits: CollectionLimits
) -> CompactionPlan:
    """What a collection would do to the packs now; changes nothing. Parameters and errors as those of :func:`collect`."""
    with vault.collecting() as in_use:
        return _planned(vault, _doomed(vault, catalog, in_use, before, look, limits), look, limits)


def collect(vault: Vault, catalog: NamingRows, before: PackEnd, look: Look, limits: CollectionLimits) -> Collected:
    """One collection of what lies before ``before``. ``look`` is called now and then; it may rest, and raises what is to end
    it.

    Raises ``Damaged`` where a list cannot be read: what is below it cannot be told, so nothing goes; ``TryAgain`` (disk full),
    ``StoreFailed``."""
    with vault.collecting() as in_use:
        doomed = _doomed(vault, catalog, in_use, before, look, limits)
        plan = _planned(vault, doomed, look, limits)
        chunks, size, packs = _sweep(vault, doomed, plan, look)
        compacted = compact(vault, plan.rewrite, doomed, look)
    with suppress(TryAgain):
        # On a full disk what went may be found again where the index is lost; that goes the next time.
        vault.note_end()
    return Collected(chunks, size, packs + compacted.packs, compacted)


def _doomed(
    vault: Vault, catalog: NamingRows, in_use: frozenset[bytes], before: PackEnd, look: Look, limits: CollectionLimits
) -> Doomed:
    doomed = Doomed(vault, before, limits.names_exactly)
    doomed.mark(catalog, in_use, look)
    return doomed


def _planned(vault: Vault, doomed: Doomed, look: Look, limits: CollectionLimits) -> CompactionPlan:
    uses = doomed.uses(vault.pack_sizes(), look)
    return plan_compaction(uses, limits.room, limits.compaction)


def _sweep(vault: Vault, doomed: Doomed, plan: CompactionPlan, look: Look) -> tuple[int, int, int]:
    """Chunks and bytes that went, and packs. What is in packs that go whole comes first: nothing is written for that, so it makes
    room for the rest on a disk that is full."""
    going = {pack.number for pack in plan.drop}
    chunks = size = packs = 0
    if going:
        saved: Counter[int] = Counter()
        for dead in doomed.dead(look):
            in_going = [one for one in dead if one[1].pack in going]
            saved.update(place.pack for _, place in in_going)
            gone = vault.sweep(in_going, going)
            saved.subtract(place.pack for _, place in gone)
            chunks, size = chunks + len(gone), size + _bytes(gone)
        packs = vault.drop_packs([number for number in sorted(going) if saved[number] <= 0])
    for dead in doomed.dead(look):
        gone = vault.sweep(dead)
        chunks, size = chunks + len(gone), size + _bytes(gone)
    return chunks, size, packs


def _bytes(gone: list[tuple[bytes, Place]]) -> int:
    return sum(place.end - place.offset for _, place in gone)
