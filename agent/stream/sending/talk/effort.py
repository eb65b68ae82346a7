"""How hard chunks are packed for a peer: the harder, the slower it takes them. Pure.

On a fast link the first level of zstd is worth it and no other; on a slow one the processor waits for the link, and what it does
meanwhile is bytes that need not travel. See docs/decisions/0032.
"""

from __future__ import annotations

#: Levels of zstd, and below which rate (bytes a second that the peer works off) each is chosen. Of source code they pack 400, 350
#: and 110 MB a second: a quarter of a processor at most.
QUICK, STEADY, THOROUGH = 1, 3, 6
_STEADY_BELOW, _THOROUGH_BELOW = 14_000_000, 3_000_000
#: With less under way nobody waits for the link: so many bytes, or what it carries in a moment, in seconds.
_BACKLOG, _BACKLOG_SECONDS = 256 << 10, 0.25


def level(rate: float, in_flight: int) -> int:
    """The level for a peer that works off ``rate`` bytes a second (0: not known yet) while so many are under way."""
    if not rate or in_flight < min(_BACKLOG, rate * _BACKLOG_SECONDS) or rate >= _STEADY_BELOW:
        return QUICK
    return STEADY if rate >= _THOROUGH_BELOW else THOROUGH
