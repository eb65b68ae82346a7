"""Files that change while they are looked at: when to read them, and when to take what was read. Pure: times are passed in."""

from __future__ import annotations

import os

from agent.core.recent_map import RecentMap

#: What changed during so many reads running is taken as read.
TRIES = 3
#: A large file is read once it has not changed for a nanosecond for so many bytes of it (a few percent of what reading takes), at
#: most for ``QUIET_MOST``; but nobody waits longer than ``PATIENCE`` for it. Nanoseconds.
QUIET_BYTES, QUIET_MOST, PATIENCE = 50, 100_000_000, 300_000_000
#: Over a slow link a file that is asked for again while it is read is left so often, for so long (seconds): what was read of it
#: would be read twice, and left to be sent twice. Then it is read to its end.
STOPS, RESTS = 8, 0.3
_REMEMBERED = 10_000


class ChangingFiles:
    """Counts by file handle; so many are remembered that a tree of restless files is of no concern."""

    def __init__(self) -> None:
        self._read = RecentMap[bytes, int](_REMEMBERED)
        self._waits = RecentMap[bytes, int](_REMEMBERED)
        self._stops = RecentMap[bytes, int](_REMEMBERED)

    def __bool__(self) -> bool:
        """Whether any file changed while it was last read."""
        return bool(self._read)

    def is_read_again(self, handle: bytes, changed: bool) -> bool:
        """Count a read during which the file ``changed``, or forget that there were such.

        True when it is to be read again, False when what was read is to be taken."""
        self._stops.pop(handle, None)
        tries = self._read.pop(handle, 0) + 1
        if not changed or tries >= TRIES:
            return False
        self._read.remember(handle, tries)
        return True

    def is_stopped(self, handle: bytes) -> bool:
        """Whether reading a file that is asked for again is to end here, to begin anew when it rests; not for ever."""
        stops = self._stops.pop(handle, 0) + 1
        self._stops.remember(handle, stops)
        return stops <= STOPS

    def is_being_written(self, handle: bytes, st: os.stat_result, now: int) -> bool:
        """Whether a large file changed just before ``now`` (ns of the kernel's wall clock), so that reading it may be vain: the
        larger, the longer is "just before". Not for ever: who goes on writing is read all the same."""
        since = self._waits.pop(handle, now)
        is_fresh = 0 <= now - st.st_ctime_ns < min(QUIET_MOST, st.st_size // QUIET_BYTES)
        if not is_fresh or now - since >= PATIENCE:
            return False
        self._waits.remember(handle, since)
        return True
