"""Compaction: packs of which much is dead are written anew without it, a step at a time, and go.

A chunk that only one patch is made of, and that no row names, is folded into that patch: chains get shorter by it. What is
damaged is not moved: its pack stays until somebody mended it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agent.core.chunks import DATA
from agent.core.errors import Damaged, NotFound
from agent.core.patch import between
from agent.store.doomed import Doomed, Look
from agent.store.vault.codec import StoredChunk, is_patch, pack_chunk, pack_patch
from agent.store.vault.compacting import Rewritten
from agent.store.vault.pack import HEADER_SIZE, Place
from agent.store.vault.pack_use import PackUse
from agent.store.vault.patch_chains import DEPTH_MAX
from agent.store.vault.vault import Vault

#: Bytes and chunks that are written and synced at once: a commit that syncs beside it waits for no more.
_STEP_BYTES, _STEP_CHUNKS = 1 << 18, 200
_Entry = tuple[bytes, Place]


@dataclass(slots=True)
class Compacted:
    """What a compaction did: bytes that it wrote, packs that went, chunks that were folded away, and what it found damaged:
    ``(name, reason)``."""

    written: int = 0
    packs: int = 0
    folded: int = 0
    damaged: list[tuple[bytes, str]] = field(default_factory=list)


def compact(vault: Vault, packs: Sequence[PackUse], doomed: Doomed, look: Look) -> Compacted:
    """Rewrite ``packs`` in their order. ``look`` is called between two steps; it may rest, and raises what is to end it: all that
    was done so far stands. Raises ``TryAgain`` (disk full), ``StoreFailed``."""
    done = Compacted()
    for pack in packs:
        if _empty(vault, pack.number, doomed, look, done):
            done.packs += vault.drop_packs([pack.number])
    return done


def _empty(vault: Vault, number: int, doomed: Doomed, look: Look, done: Compacted) -> bool:
    """Whether nothing lies in the pack any more, as far as its records tell."""
    strange: list[str] = []
    before = len(done.damaged)
    for page in vault.records_that_count(number, _STEP_CHUNKS, strange):
        for step in _steps(page):
            look()
            _move(vault, step, doomed, done)
    return not strange and len(done.damaged) == before


def _steps(page: list[_Entry]) -> Iterator[list[_Entry]]:
    step: list[_Entry] = []
    size = 0
    for name, place in page:
        if step and size + place.stored_length > _STEP_BYTES:
            yield step
            step, size = [], 0
        step.append((name, place))
        size += place.stored_length
    if step:
        yield step


def _move(vault: Vault, step: list[_Entry], doomed: Doomed, done: Compacted) -> None:
    moving: list[Rewritten] = []
    for name, place in step:
        try:
            if _folded(vault, name, place, doomed, done):
                continue
            moving.append(Rewritten(place, vault.stored_chunk(name, place)))
        except NotFound:
            continue  # Somebody took it since.
        except Damaged as error:
            done.damaged.append((name, error.reason))
    _rewrite(vault, moving, done)


def _rewrite(vault: Vault, chunks: list[Rewritten], done: Compacted) -> None:
    if vault.rewrite(chunks):
        done.written += sum(HEADER_SIZE + len(one.chunk.stored) for one in chunks)


def _folded(vault: Vault, name: bytes, place: Place, doomed: Doomed, done: Compacted) -> bool:
    """Whether the chunk is gone: the one patch that was made of it, by way of others perhaps, now is made of what it was made
    of, or whole."""
    top, below = _above(vault, name, place, doomed)
    if top is None:
        return False
    lies = vault.place_of(top)
    if lies is None or not is_patch(lies.codec):
        return False
    chunk = _without(vault, top, place, vault.read_base(top), name)
    if len(chunk.stored) > lies.stored_length + sum(one.stored_length for _, one in below):
        return False
    _rewrite(vault, [Rewritten(lies, chunk)], done)
    gone = len(vault.sweep(below[::-1], going={place.pack}))
    done.folded += gone
    return vault.place_of(name) != place


def _above(vault: Vault, name: bytes, place: Place, doomed: Doomed) -> tuple[bytes | None, list[_Entry]]:
    """The first chunk above that stays, and what below it, this one first, is needed by nothing else."""
    below: list[_Entry] = []
    top: bytes | None = None
    while len(below) <= DEPTH_MAX and doomed.is_unnamed(name, place):
        patches = vault.needed_by(name)
        if len(patches) != 1:
            break
        below.append((name, place))
        top = name = patches[0]
        above = vault.place_of(name)
        if above is None:
            return None, []
        place = above
    return top, below


def _without(vault: Vault, top: bytes, place: Place, raw: bytes, lowest: bytes) -> StoredChunk:
    """A chunk as it is stored without ``lowest``, which lies at ``place``: as a patch of what that one is made of, or whole."""
    whole = pack_chunk(top, DATA, raw)
    if not is_patch(place.codec):
        return whole
    base = vault.patch_of(lowest)
    (depth,) = vault.depths(base.bases[:1]) if base is not None else (None,)
    if base is None or depth is None or len(base.bases) != 1:
        return whole
    packed = pack_patch(top, DATA, raw, between(raw, base.bases[0], vault.read_base(base.bases[0])))
    if packed is None or len(packed.stored) >= len(whole.stored):
        return whole
    return packed._replace(depth=depth + 1)
