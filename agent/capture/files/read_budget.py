"""How often a changed file is read again: so that who writes to a large one all the time does not have it read all the time.

No event says which bytes changed, and no stat may be trusted, so a change of a file costs the reading of all of it. Of what such
changes read each dataset has a rate, which the files that change share; a file that did not change for long is read at once.
Pure: times are passed in.
"""

from __future__ import annotations

from agent.capture.batch import Name
from agent.core.recent_map import RecentMap

#: Smaller files are read whenever they change.
SPARED = 1 << 20
#: Bytes read a second by changes of files from that size on.
RATE = 20_000_000
_REMEMBERED = 10_000


class Spared:
    """When each file may be read again, in monotonic seconds."""

    def __init__(self, rate: float = RATE) -> None:
        self._rate = rate
        self._free_at = RecentMap[Name, float](_REMEMBERED)

    def due(self, name: Name) -> float:
        """A change of this file is not to be read before."""
        return self._free_at.get(name, 0.0)

    def read(self, name: Name, size: int, now: float) -> None:
        """A known file of so many bytes was read. The more of them change, the longer each waits."""
        while self._free_at and next(iter(self._free_at.values())) <= now:
            self._free_at.popitem(last=False)
        before = max(now, self._free_at.pop(name, now))
        shared = 1 + sum(1 for free_at in self._free_at.values() if free_at > now)
        self._free_at.remember(name, before + shared * size / self._rate)
