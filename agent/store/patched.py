"""Patches in the vault: what becomes of one that came, and how one is read back.

A patch is stored as it came while at most ``DEPTH_MAX`` other records have to be read to rebuild it. Beyond, it is made anew
against a chunk further down, so that one that changes for ever costs its pages and, now and then, those of the last thirty
changes or so again (docs/decisions/0008); where that is not clearly smaller than the chunk, the chunk is stored whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.core import patch
from agent.core.chunks import DATA
from agent.core.errors import WireError
from agent.core.patch import Patch
from agent.store.codec import StoredChunk, compute_name, is_patch, open_patch, pack_chunk, pack_patch, unpack

DEPTH_MAX = 32


class BaseUnknown(WireError):
    """A patch of a chunk that is not here. The call ends; the next one brings the chunk whole."""

    def __init__(self, name: bytes) -> None:
        reason = "the peer sent a patch of a chunk that is not here"
        super().__init__("take a chunk", name.hex(), reason, "it is sent whole on the next connection")


class Bases(Protocol):
    """What is asked of the vault."""

    def pin(self, names: Sequence[bytes]) -> None: ...

    def depths(self, names: Sequence[bytes]) -> list[int | None]: ...

    def read_base(self, name: bytes) -> bytes: ...

    def patch_of(self, name: bytes) -> Patch | None: ...


def received(
    vault: Bases, kind: int, codec: int, raw_length: int, stored: bytes, came: Callable[[bytes], bytes | None]
) -> tuple[StoredChunk, bytes]:
    """A patch that came, as it is to be stored, and the chunk's bytes. Its bases are pinned (law 2). ``came``: the bytes of a
    chunk that came with it and is not in the vault yet.

    Raises ``BaseUnknown``, ``WireError``; ``Damaged`` and ``NotFound`` when a base cannot be read."""
    if kind != DATA:
        raise WireError("take a chunk", "", "the peer sent a patch of a chunk list", "the peer is faulty or hostile")
    parsed = open_patch(codec, raw_length, stored)
    vault.pin(parsed.bases)
    depths = vault.depths(parsed.bases)
    fresh = {name: came(name) for name, depth in zip(parsed.bases, depths, strict=True) if depth is None}
    if None in fresh.values():
        raise BaseUnknown(next(name for name, raw in fresh.items() if raw is None))
    raw = patch.rebuild(parsed, lambda base: fresh.get(base) or vault.read_base(base))
    name = compute_name(kind, raw)
    depth = sum(1 + depth for depth in depths if depth is not None)
    if fresh:
        return pack_chunk(name, kind, raw), raw
    if depth <= DEPTH_MAX:
        return StoredChunk(name, kind, codec, raw_length, stored, depth), raw
    return rebased(vault, name, raw, parsed, depth) or pack_chunk(name, kind, raw), raw


def rebased(vault: Bases, name: bytes, raw: bytes, parsed: Patch, depth: int) -> StoredChunk | None:
    """The chunk, which would lie at ``depth``, as a patch of one that lies less deep; None where it is not worth it."""
    base = _best_base(vault, parsed, depth)
    if base is None:
        return None
    packed = pack_patch(name, DATA, raw, patch.between(raw, base[0], vault.read_base(base[0])))
    return packed and StoredChunk(name, DATA, packed.codec, len(raw), packed.stored, base[1] + 1)


def _best_base(vault: Bases, parsed: Patch, depth: int) -> tuple[bytes, int] | None:
    """Name and depth of the one below that costs least for each level gained, as far as can be told without reading it.

    Changes are taken to fall anywhere: so many bytes, changed one after the other, touch that share of the chunk. A long way
    down is cheaper for its length than a short one, until it leads over a patch that was made so before."""
    length, literal, cheapest = parsed.length, 0, math.inf
    best: tuple[bytes, int] | None = None
    at: Patch | None = parsed
    for _ in range(DEPTH_MAX + 1):
        if at is None:
            break
        literal += at.literal
        base = at.main_base
        (below,) = vault.depths((base,))
        if below is None:
            break
        if below < DEPTH_MAX:
            cost = length * -math.expm1(-literal / length) / (depth - below)
            if cost <= cheapest:
                best, cheapest = (base, below), cost
        at = vault.patch_of(base)
    return best


@dataclass(frozen=True, slots=True)
class Record:
    """What a pack holds for a chunk, or its bytes from elsewhere as codec ``RAW``."""

    codec: int
    raw_length: int
    depth: int
    stored: bytes


def resolve(record: Record, fetch: Callable[[bytes], Record]) -> bytes:
    """The bytes that a record stands for; nobody has named them yet. ``fetch`` reads the record of a base.

    Ends whatever the records say: each base must lie less deep than what is made of it. Raises ``WireError``."""
    laid: list[list[tuple[int, memoryview]]] = []
    while is_patch(record.codec):
        parsed = open_patch(record.codec, record.raw_length, record.stored)
        overlay = parsed.overlay()
        below = _less(fetch(parsed.bases[0]), record.depth)
        if overlay is None or below.raw_length != record.raw_length:
            return _overlaid(_rebuilt(parsed, record.depth, fetch), laid)
        laid.append(overlay)
        record = below
    return _overlaid(unpack(record.codec, record.raw_length, record.stored), laid)


def _rebuilt(parsed: Patch, depth: int, fetch: Callable[[bytes], Record]) -> bytes:
    """A patch of several bases, or of a moved one."""
    return patch.rebuild(parsed, lambda base: resolve(_less(fetch(base), depth), fetch))


def _overlaid(raw: bytes, laid: list[list[tuple[int, memoryview]]]) -> bytes:
    """The bytes with patches laid over them, the last of the list first."""
    if not laid:
        return raw
    out = bytearray(raw)
    for overlay in reversed(laid):
        for at, data in overlay:
            out[at : at + len(data)] = data
    return bytes(out)


def _less(base: Record, depth: int) -> Record:
    if depth > DEPTH_MAX or base.depth >= depth:
        raise WireError("read a patch", "", "its bases lie deeper than itself", "the vault is damaged")
    return base
