"""Inputs that were right once: bytes changed, cut, doubled and joined at random, by a seed that a failing test prints."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence

#: Inputs of each kind in `make test`; `make soak PART=inputs` has so many for each of its seeds.
A_SHARE = 500


def inputs_wanted() -> int:
    """How many inputs a test tries."""
    return A_SHARE * int(os.environ.get("HIKAE_SOAK_SEEDS", "1"))


def mangled(rng: random.Random, right: Sequence[bytes], count: int) -> Iterator[bytes]:
    """``count`` of them; ``right``: what they are made from."""
    for _ in range(count):
        data = bytearray(rng.choice(right))
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            _HOW[rng.randrange(len(_HOW))](rng, data, right)
        yield bytes(data)


def _flip(rng: random.Random, data: bytearray, _right: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: bytearray, _right: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _cut(rng: random.Random, data: bytearray, _right: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _leave_out(rng: random.Random, data: bytearray, _right: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.choice((1, 2, 4, 8, 64))]


def _put_in(rng: random.Random, data: bytearray, _right: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8, 64)))


def _number(rng: random.Random, data: bytearray, _right: Sequence[bytes]) -> None:
    """A field becomes a length as nobody wants it."""
    if len(data) >= 8:
        size = rng.choice((1, 2, 4, 8))
        at = rng.randrange(len(data) - size + 1)
        value = rng.choice((0, 1, (1 << 8 * size) - 1, 1 << (8 * size - 1), (1 << (8 * size - 1)) - 1))
        data[at : at + size] = value.to_bytes(size, rng.choice(("big", "little")))


def _repeat(rng: random.Random, data: bytearray, _right: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    part = data[at : at + rng.choice((1, 16, 256))]
    data[at:at] = part * rng.choice((1, 2, 50))


def _join(rng: random.Random, data: bytearray, right: Sequence[bytes]) -> None:
    other = rng.choice(right)
    data[rng.randrange(len(data) + 1) :] = other[rng.randrange(len(other) + 1) :]


_HOW = (_flip, _byte, _cut, _leave_out, _put_in, _number, _repeat, _join)
