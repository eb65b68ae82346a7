"""How much an applier takes at once. Tests take less."""

from __future__ import annotations

from dataclasses import dataclass

from agent.chunking.reader import LARGE


@dataclass(frozen=True, slots=True)
class VerifyLimits:
    """Seconds. ``slice``: after which a slice ends, so long may a commit wait for it; ``share``: so many times as long as a slice
    took nothing is done after it where it has low priority; ``waits``: how long it is waited for files that are being written.
    ``changed``: keys that changed meanwhile, held in memory; ``anew``: how often all is looked at again where more did.
    ``growth``: a slice in which what is left did not become less makes the next so many times as long."""

    slice: float = 0.05
    share: float = 3.0
    waits: float = 60.0
    changed: int = 65_536
    anew: int = 3
    growth: float = 1.25


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
    verify: VerifyLimits = VerifyLimits()


#: What production takes.
USUAL = ApplyLimits()
