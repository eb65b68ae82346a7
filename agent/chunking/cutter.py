"""Where content is cut: FastCDC, so that an insertion moves no cut behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pyfastcdc

from agent.core import chunks
from agent.core.errors import ConfigError

KIB = 1024
COARSE_FROM = 1 << 30
_SAMPLE = 64


@dataclass(frozen=True, slots=True)
class Cut:
    """Sizes in bytes: no chunk but a file's or segment's last is shorter than ``least``, none is longer than ``most``."""

    least: int
    average: int
    most: int


FINE = Cut(16 * KIB, 64 * KIB, 256 * KIB)
COARSE = Cut(64 * KIB, 256 * KIB, 1024 * KIB)


class Cutter:
    """Cuts for one thread; the library's object keeps state while it runs."""

    def __init__(self) -> None:
        self._engines = {
            cut: pyfastcdc.FastCDC(cut.average, min_size=cut.least, max_size=cut.most) for cut in (FINE, COARSE)
        }

    def lengths(self, data: memoryview, cut: Cut) -> Iterator[int]:
        """Lengths of the chunks of ``data``, in order, lazily. The last one may only end because the data does."""
        for chunk in self._engines[cut].cut_buf(data):
            yield chunk.length


def require_native(engine: type = pyfastcdc.FastCDC) -> None:
    """Refuse to run on the library's pure Python stand-in, which is 300 times slower and says so only in a warning.

    Raises ``ConfigError``."""
    if engine.__module__.startswith("pyfastcdc.cy"):
        return
    raise ConfigError(
        "start capture",
        "pyfastcdc",
        "its compiled part is missing",
        "install pyfastcdc from a wheel for this Python and machine",
    )


def first_cut(size: int) -> Cut:
    """How a file of this size is cut at its first capture."""
    return COARSE if size >= COARSE_FROM else FINE


def kept_cut(old: Iterator[chunks.Chunk], size: int) -> Cut:
    """How a known file is cut: as it was before, seen from its first chunks; as at first when there are none.

    No fine cut gives a chunk above its limit, and of 64 coarse ones hardly all stay below that. An average would take a few long
    fine chunks for coarse ones, and cut what is added otherwise than what is there. ``old`` is read no further than needed."""
    data = [entry.length for entry in islice(old, 2 * _SAMPLE) if entry.kind == chunks.DATA][:_SAMPLE]
    if len(data) < 2:
        return first_cut(size)
    return COARSE if max(data) > FINE.most else FINE
