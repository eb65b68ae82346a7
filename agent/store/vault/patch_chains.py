"""Patches in the vault: what becomes of one that came, and how one is read back.

A patch is stored as it came while at most ``DEPTH_MAX`` other records have to be read to rebuild it. Beyond, it is made anew
against a chunk further down, so that one that changes for ever costs its pages and, now and then, those of the last thirty
changes or so again (docs/decisions/0008); where that is not clearly smaller than the chunk, the chunk is stored whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.core import patch
from agent.core.chunks import DATA
from agent.core.errors import NotFound, WireError
from agent.core.patch import Patch
from agent.store.vault.codec import RAW, StoredChunk, compute_name, is_patch, open_patch, pack_chunk, pack_patch, unpack

DEPTH_MAX = 32


@dataclass(frozen=True, slots=True)
class Record:
    """What a pack holds for a chunk, or its bytes from elsewhere as codec ``RAW``; only with that ``stored`` may be a view."""

    codec: int
    raw_length: int
    depth: int
    stored: bytes | memoryview


class BaseUnknown(WireError):
    """A patch of a chunk that is not here. The call ends; the next one brings the chunk whole."""

    def __init__(self, name: bytes) -> None:
        reason = "the peer sent a patch of a chunk that is not here"
        super().__init__("take a chunk", name.hex(), reason, "it is sent whole on the next connection")


class Bases(Protocol):
    """What is asked of the vault."""

    def pin(self, names: Sequence[bytes], owner: Hashable) -> None: ...

    def depths(self, names: Sequence[bytes]) -> list[int | None]: ...

    def records(self, names: Sequence[bytes]) -> list[Record | None]: ...

    def record(self, name: bytes) -> Record: ...

    def read_base(self, name: bytes) -> bytes: ...

    def patch_of(self, name: bytes) -> Patch | None: ...


def received(
    vault: Bases,
    kind: int,
    codec: int,
    raw_length: int,
    stored: bytes,
    *,
    came: Callable[[bytes], bytes | None],
    owner: Hashable,
) -> tuple[StoredChunk, bytes]:
    """A patch that came, as it is to be stored, and the chunk's bytes. Its bases are pinned for ``owner`` (law 2). ``came``: the
    bytes of a chunk that came with it and is not in the vault yet. What is made of such a one, or of one that stands in an
    adopted tree only and may go from there, is stored whole.

    Raises ``BaseUnknown``, ``WireError``; ``Damaged`` and ``NotFound`` when a base cannot be read."""
    if kind != DATA:
        raise WireError("take a chunk", "", "the peer sent a patch of a chunk list", "the peer is faulty or hostile")
    parsed = open_patch(codec, raw_length, stored)
    vault.pin(parsed.bases, owner)
    is_whole, depth = False, 0
    known: dict[bytes, Record] = {}
    for base, record in zip(parsed.bases, vault.records(parsed.bases), strict=True):
        if record is None:
            is_whole, bytes_that_came = True, came(base)
            found = bytes_that_came if bytes_that_came is not None else _beside_packs(vault, base)
            record = Record(RAW, len(found), 0, found)
        else:
            depth += 1 + record.depth
        known[base] = record
    raw = _made_here(vault, parsed, known)
    name = compute_name(kind, raw)
    if is_whole:
        return pack_chunk(name, kind, raw), raw
    if depth <= DEPTH_MAX:
        return StoredChunk(name, kind, codec, raw_length, stored, depth), raw
    return rebased(vault, name, raw, parsed, depth) or pack_chunk(name, kind, raw), raw


def _beside_packs(vault: Bases, name: bytes) -> bytes:
    """A base that no pack had, checked against its name. Raises ``BaseUnknown``, ``Damaged``."""
    try:
        return vault.read_base(name)
    except NotFound:
        raise BaseUnknown(name) from None


def _made_here(vault: Bases, parsed: Patch, known: dict[bytes, Record]) -> bytes:
    """The bytes of a patch that came. Its bases are not checked: damage in one shows in the name of what is made of it."""
    deepest = max(record.depth for record in known.values())
    try:
        return made(parsed, deepest + 1, lambda base: known.get(base) or vault.record(base))
    except WireError:
        for base, record in known.items():
            if record.codec != RAW:
                # Damaged, where it is not the peer's fault.
                vault.read_base(base)
        raise


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


def rebuild_record(record: Record, fetch: Callable[[bytes], Record]) -> bytes:
    """The bytes that a record stands for; nobody has named them yet. ``fetch`` reads the record of a base.

    Ends whatever the records say: each base must lie less deep than what is made of it. Raises ``WireError``."""
    if record.depth > DEPTH_MAX:
        raise _deep()
    if is_patch(record.codec):
        return made(_opened(record), record.depth, fetch)
    return bytes(_whole(record))


def made(parsed: Patch, depth: int, fetch: Callable[[bytes], Record]) -> bytes:
    """The bytes that a patch at this depth makes, as :func:`rebuild_record`."""
    laid: list[list[tuple[int, memoryview]]] = []
    while True:
        overlay = parsed.overlay()
        below = _less(fetch(parsed.bases[0]), depth)
        if overlay is None or below.raw_length != parsed.length:
            return _overlaid(_rebuilt(parsed, depth, fetch), laid)
        laid.append(overlay)
        if not is_patch(below.codec):
            return _overlaid(_whole(below), laid)
        parsed, depth = _opened(below), below.depth


def _whole(record: Record) -> bytes | memoryview:
    if record.codec == RAW and len(record.stored) == record.raw_length:
        return record.stored
    return unpack(record.codec, record.raw_length, bytes(record.stored))


def _opened(record: Record) -> Patch:
    return open_patch(record.codec, record.raw_length, bytes(record.stored))


def _rebuilt(parsed: Patch, depth: int, fetch: Callable[[bytes], Record]) -> bytes:
    """A patch of several bases, or of a moved one."""
    return patch.rebuild(parsed, lambda base: rebuild_record(_less(fetch(base), depth), fetch))


def _overlaid(raw: bytes | memoryview, laid: list[list[tuple[int, memoryview]]]) -> bytes:
    """The bytes with patches laid over them, the last of the list first."""
    if not laid:
        return bytes(raw)
    if len(laid) == 1:
        return _joined(memoryview(raw), laid[0])
    out = bytearray(raw)
    for overlay in reversed(laid):
        for at, data in overlay:
            out[at : at + len(data)] = data
    return bytes(out)


def _joined(raw: memoryview, overlay: list[tuple[int, memoryview]]) -> bytes:
    """With one patch over them: every byte is copied once."""
    parts: list[memoryview] = []
    done = 0
    for at, data in overlay:
        parts += (raw[done:at], data)
        done = at + len(data)
    parts.append(raw[done:])
    return b"".join(parts)


def _less(base: Record, depth: int) -> Record:
    if base.depth >= depth:
        raise _deep()
    return base


def _deep() -> WireError:
    return WireError("read a patch", "", "its bases lie deeper than itself", "the vault is damaged")
