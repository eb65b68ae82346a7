"""Whether a device was written to since a look at everything began, by what the kernel counts: for where no event tells."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from agent.fs.durable import sync_data, timestamp_grain_ns

#: Fields of ``/sys/dev/block/*/stat`` (Documentation/block/stat.rst), from 0: sectors written, and discarded; of ``inflight``:
#: writes under way.
_WRITTEN, _DISCARDED, _UNDER_WAY = 6, 13, 1
Counted = tuple[int, ...]


def written_so_far(path: str, now_ns: Callable[[], int] = time.time_ns) -> Counted | None:
    """What rises with each write to a device, or to an image file; None where nobody counts, or a write that is under way, or may
    come yet, is in no count. ``OSError`` where it is gone."""
    st = os.stat(path)
    if not stat.S_ISBLK(st.st_mode):
        return _times(path, now_ns)
    return counted_in(Path(f"/sys/dev/block/{os.major(st.st_rdev)}:{os.minor(st.st_rdev)}"))


def counted_in(directory: Path) -> Counted | None:
    """What the kernel counts of the device that has this directory of sysfs: see :func:`written_so_far`."""
    place = directory.resolve()
    # A partition has counters of its own, and its disk says whether it counts.
    disk = place.parent if (place / "partition").exists() else place
    try:
        if (disk / "queue" / "iostats").read_text().strip() == "0":
            return None
        # In this order: what is not under way any more has been counted.
        if int((place / "inflight").read_text().split()[_UNDER_WAY]):
            return None
        fields = (place / "stat").read_text().split()
        return int(fields[_WRITTEN]), int(fields[_DISCARDED]) if len(fields) > _DISCARDED else 0
    except (OSError, ValueError, IndexError):
        return None


def _times(path: str, now_ns: Callable[[], int]) -> Counted | None:
    """Of a file; None where the next write may leave them as they are, since the last was just now."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        now = now_ns()
        # What is stored to mapped memory from now on moves the times again.
        sync_data(fd)
        st, grain = os.fstat(fd), timestamp_grain_ns(fd)
        newest = max(st.st_mtime_ns, st.st_ctime_ns)
        # A time that is to come, after a clock that was wrong, is moved by any write.
        settled = newest + grain < now or newest > now_ns() + grain
        return (st.st_mtime_ns, st.st_ctime_ns, st.st_size) if settled else None
    finally:
        os.close(fd)


class WholeLook:
    """The last look at everything that came to its end. Belongs to the pump's thread."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._counted: Counted | None = None

    def begin(self) -> Counted | None:
        """All is read from now on; what is counted now, for :meth:`ended`. Until then what was seen is of no look."""
        self._counted = None
        return self._now()

    def ended(self, counted: Counted | None) -> None:
        """All was read since ``counted``."""
        self._counted = counted

    def has_moved(self) -> bool:
        """Whether something was, or may have been, written since the look began."""
        now = self._now()
        return now is None or now != self._counted

    def _now(self) -> Counted | None:
        try:
            return written_so_far(self._path)
        except OSError:
            return None
