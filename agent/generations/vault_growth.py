"""How fast does a vault grow, when is its limit reached, and how much history is there room for? Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

_HOUR = 3600 * 10**9
_DAY = 24 * _HOUR
#: Between two samples; and so long they are kept, of which whole days count: a vault shrinks once a day, when it is collected.
SAMPLE_NS, _KEPT = _HOUR, 8 * _DAY
_NEAR_A_DAY = _HOUR
_LEAST = _HOUR
_SAMPLE = struct.Struct(">QQ")
#: Shares of the limit: from the first on history gets shorter, below the second it gets longer again.
FULL_SOON, ROOM_AGAIN = 0.9, 0.7
#: Seconds: no history is shortened below that.
LEAST_HISTORY = 60


class Sample(NamedTuple):
    """Bytes of a vault at a moment (UTC ns)."""

    time: int
    bytes: int


def sampled(samples: Sequence[Sample], now: Sample) -> tuple[Sample, ...]:
    """With one more where an hour has passed since the last; a clock that was set back begins anew."""
    if samples and now.time < samples[-1].time:
        samples = ()
    if samples and now.time - samples[-1].time < SAMPLE_NS:
        return tuple(samples)
    return (*(one for one in samples if now.time - one.time <= _KEPT), now)


def bytes_per_day(samples: Sequence[Sample], now: Sample) -> int | None:
    """The growth over the longest whole number of days that is known, else since the first sample; None for less than an hour.
    Negative: it shrinks."""
    whole = [(round((now.time - one.time) / _DAY), _off(now.time - one.time), one) for one in samples]
    near = [(days, -off, one) for days, off, one in whole if days and off <= _NEAR_A_DAY]
    first = max(near)[2] if near else (samples[0] if samples else now)
    span = now.time - first.time
    return None if span < _LEAST else round((now.bytes - first.bytes) * _DAY / span)


def _off(span: int) -> int:
    """How far it is from a whole number of days."""
    over = span % _DAY
    return min(over, _DAY - over)


def full_at(now: Sample, growth: int | None, limit: int | None) -> int | None:
    """When the limit is reached at this growth (UTC ns); None: not within sight, or there is no limit."""
    if limit is None or not growth or growth <= 0:
        return None
    return now.time + max(0, limit - now.bytes) * _DAY // growth


def history_allowed(configured: int, allowed: int, reaches: int, size: int, limit: int | None) -> int:
    """Seconds of history for which there is room, looked at once after each collection. ``allowed``: what was found the last
    time; ``reaches``: how far it reaches now; ``size``: bytes of the vault."""
    if limit is None:
        return configured
    if size >= FULL_SOON * limit:
        return min(configured, max(LEAST_HISTORY, min(allowed, reaches) * 3 // 4))
    if size < ROOM_AGAIN * limit:
        return min(configured, max(allowed + 60, allowed * 5 // 4))
    return min(configured, allowed)


def encode_samples(samples: Sequence[Sample]) -> bytes:
    """To be kept."""
    return b"".join(_SAMPLE.pack(one.time, one.bytes) for one in samples)


def decode_samples(data: bytes | None) -> tuple[Sample, ...]:
    """As :func:`encode_samples` made them; none where it did not."""
    if not data or len(data) % _SAMPLE.size:
        return ()
    return tuple(Sample(*one) for one in _SAMPLE.iter_unpack(data))
