"""A chunk as ranges of other chunks plus the bytes that differ. Pure: no store is asked, no name is believed.

A patch, big-endian::

    base count u8 (1 to 16)   base names, 32 each   check 16: xxh3_128 of the bases and of the body as it is below
    body, packed or not (``store.vault.codec``): in the order of the chunk's bytes, without gaps, at most 4,096 of
        literal   00  length u32  bytes
        copy      01  base u8  start u32  length u32        `length` bytes of a base from `start`

The check finds damage in a stored patch; whether the rebuilt bytes are the chunk that is meant, only its name tells.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from xxhash import xxh3_128_digest

from agent.core.chunks import MAX_CHUNK, NAME_SIZE
from agent.core.errors import WireError

PAGE = 4096
BASES_MAX = 16
RUNS_MAX = 4096
CHECK = 16
_FINE = 256
#: To copy fewer bytes than these is longer than to tell them.
_COPIED = 32
#: Bytes of a body beyond the chunk's own, at most.
OVERHEAD_MAX = 10 * RUNS_MAX
_LITERAL = struct.Struct(">BI")
_COPY = struct.Struct(">BBII")


# A tuple, not a dataclass: two are made for every small file that a line is added to, and a frozen dataclass costs 1 µs.
class PatchRange(NamedTuple):
    """The next ``length`` bytes of a chunk: those of the chunk ``base`` from ``start``, or, without a base, literal."""

    base: bytes
    start: int
    length: int


#: A patch without its literal bytes: they are the chunk's own.
Runs: TypeAlias = tuple[PatchRange, ...]
_Step: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch that was read and found well-formed. ``steps``: ``(index of the base or -1, start, length)``; a literal's
    start is a place in ``body``; ``length``: bytes of the chunk."""

    bases: tuple[bytes, ...]
    steps: tuple[_Step, ...]
    body: bytes
    length: int

    @property
    def literal(self) -> int:
        """Bytes of the chunk that no base has."""
        return sum(length for index, _, length in self.steps if index < 0)

    @property
    def main_base(self) -> bytes:
        """The base of which most bytes are copied."""
        shares = [0] * len(self.bases)
        for index, _, length in self.steps:
            if index >= 0:
                shares[index] += length
        return self.bases[shares.index(max(shares))]

    def overlay(self) -> list[tuple[int, memoryview]] | None:
        """``(offset, bytes)`` to lay over the one base, if it is as long as the chunk; None where that does not make it."""
        if len(self.bases) != 1:
            return None
        body = memoryview(self.body)
        laid: list[tuple[int, memoryview]] = []
        at = 0
        for index, start, length in self.steps:
            if index < 0:
                laid.append((at, body[start : start + length]))
            elif start != at:
                return None
            at += length
        return laid


def head_and_body(runs: Runs, raw: bytes) -> tuple[bytes, bytes]:
    """The bytes of a patch that makes ``raw``; the body may be packed. ``runs`` must cover ``raw`` and copy something."""
    bases = list(dict.fromkeys(run.base for run in runs if run.base))
    index = {base: number for number, base in enumerate(bases)}
    body: list[bytes] = []
    at = 0
    for run in runs:
        if run.base:
            body.append(_COPY.pack(1, index[run.base], run.start, run.length))
        else:
            body += (_LITERAL.pack(0, run.length), raw[at : at + run.length])
        at += run.length
    names, told = bytes([len(bases)]) + b"".join(bases), b"".join(body)
    return names + _check(names, told), told


def bases_of(patch: bytes) -> tuple[bytes, ...]:
    """The bases that a patch names; its first :func:`head_size` bytes are enough. Raises ``WireError``."""
    size = head_size(patch)
    if len(patch) < size:
        raise _bad("a patch that is cut short")
    if patch[0] == 1:
        return (patch[1 : 1 + NAME_SIZE],)
    names = tuple(patch[at : at + NAME_SIZE] for at in range(1, size - CHECK, NAME_SIZE))
    if len(set(names)) != len(names):
        raise _bad("a patch that names a base twice")
    return names


def head_size(patch: bytes) -> int:
    """The length of a patch's head; the patch's first byte is enough. Raises ``WireError``."""
    if not patch or not 0 < patch[0] <= BASES_MAX:
        raise _bad("a patch of no or too many bases")
    return 1 + NAME_SIZE * patch[0] + CHECK


#: The longest head.
HEAD_MAX = 1 + NAME_SIZE * BASES_MAX + CHECK


def parse(head: bytes, body: bytes, length: int) -> Patch:
    """The patch in these bytes, which makes ``length`` bytes. Raises ``WireError`` for what :func:`head_and_body` would not
    have written."""
    bases = bases_of(head)
    names = head[:-CHECK]
    if _check(names, body) != head[-CHECK:]:
        raise _bad("a patch that is damaged")
    if not 0 < length <= MAX_CHUNK:
        raise _bad(f"a chunk of {length} bytes")
    steps = _steps(body)
    if {index for index, _, _ in steps if index >= 0} != set(range(len(bases))):
        raise _bad("a patch that does not use its bases")
    if sum([length for _, _, length in steps]) != length:
        raise _bad("a patch of another length than claimed")
    return Patch(bases, steps, body, length)


def _steps(body: bytes) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    at, end = 0, len(body)
    try:
        while at < end:
            if body[at] == 0:
                _, length = _LITERAL.unpack_from(body, at)
                at += _LITERAL.size
                steps.append((-1, at, length))
                at += length
            elif body[at] == 1:
                _, base, start, length = _COPY.unpack_from(body, at)
                at += _COPY.size
                steps.append((base, start, length))
            else:
                raise _bad(f"a run of kind {body[at]}")
            if not 0 < length <= MAX_CHUNK or len(steps) > RUNS_MAX:
                raise _bad("a patch of too many or impossible runs")
    except struct.error as error:
        raise _bad("a patch that is cut short") from error
    if at != end:
        raise _bad("a patch that is cut short")
    return tuple(steps)


def rebuild(patch: Patch, read: Callable[[bytes], bytes]) -> bytes:
    """The chunk's bytes; each base is read once. Raises ``WireError`` for a range outside its base."""
    sources = [memoryview(read(base)) for base in patch.bases]
    body = memoryview(patch.body)
    parts: list[memoryview] = []
    for index, start, length in patch.steps:
        source = body if index < 0 else sources[index]
        if start + length > len(source):
            raise _bad("a patch with a range outside its base")
        parts.append(source[start : start + length])
    return b"".join(parts)


def between(raw: bytes, name: bytes, base: bytes) -> Runs:
    """A patch that makes ``raw`` of the chunk ``name``, at equal offsets; empty where nothing is equal.

    Pages of the file seldom begin where pages of the chunk do, so what differs is told more finely than by pages."""
    return joined(_compared(raw, name, base, 0, len(raw), PAGE))


def _compared(raw: bytes, name: bytes, base: bytes, begin: int, end: int, grain: int) -> Iterator[PatchRange]:
    for at in range(begin, end, grain):
        until = min(at + grain, end)
        if raw[at:until] == base[at:until]:
            yield PatchRange(name, at, until - at)
        elif grain > _FINE:
            yield from _compared(raw, name, base, at, until, _FINE)
        elif until <= len(base):
            yield from _trimmed(raw, name, base, at, until)
        else:
            yield PatchRange(b"", 0, until - at)


def _trimmed(raw: bytes, name: bytes, base: bytes, begin: int, end: int) -> Iterator[PatchRange]:
    """Of bytes that differ somewhere: equal ones at either end are copied, if that is shorter than telling them."""
    differ = int.from_bytes(raw[begin:end], "big") ^ int.from_bytes(base[begin:end], "big")
    first = end - (differ.bit_length() + 7) // 8
    last = end - ((differ & -differ).bit_length() - 1) // 8
    first, last = (first if first - begin >= _COPIED else begin), (last if end - last >= _COPIED else end)
    if first > begin:
        yield PatchRange(name, begin, first - begin)
    yield PatchRange(b"", 0, last - first)
    if last < end:
        yield PatchRange(name, last, end - last)


def joined(runs: Iterable[PatchRange]) -> Runs:
    """The same with neighbours made one; empty when nothing is copied, as that is no patch."""
    out: list[PatchRange] = []
    for run in runs:
        last = out[-1] if out else None
        if last is not None and last.base == run.base and (not run.base or last.start + last.length == run.start):
            out[-1] = PatchRange(run.base, last.start, last.length + run.length)
        else:
            out.append(run)
    return tuple(out) if any(run.base for run in out) else ()


def literal_bytes(runs: Sequence[PatchRange]) -> int:
    """The bytes of a patch that have to travel."""
    return sum(run.length for run in runs if not run.base)


def _check(names: bytes, body: bytes) -> bytes:
    return xxh3_128_digest(names + xxh3_128_digest(body))


def _bad(what: str) -> WireError:
    return WireError("read a patch", "", f"it is {what}", "the sender is faulty or hostile; nothing was stored")
