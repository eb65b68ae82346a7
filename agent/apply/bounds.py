"""How much an applier takes at once. Tests take less."""

from __future__ import annotations

from dataclasses import dataclass

from agent.chunking.reader import LARGE


@dataclass(frozen=True, slots=True)
class ApplyLimits:
    """``large``: from so many bytes on a file that changes is late; ``slice`` and ``seconds``: where a step of it ends, which is
    then synced (more bytes would make the next sync of anybody long); ``late``: further ones are written at once.
    ``keys``: bytes of changed keys that are held in memory; ``differences``: what verify lists, and does not only count."""

    large: int = LARGE
    slice: int = 16 << 20
    seconds: float = 0.1
    late: int = 64
    keys: int = 16 << 20
    differences: int = 1000


#: What production takes.
USUAL = ApplyLimits()
