"""Whether a device was written to since a look at everything began, by what the kernel counts: for where no event tells."""

from __future__ import annotations

import os
import stat
from pathlib import Path

#: Fields of ``/sys/dev/block/*/stat`` (Documentation/block/stat.rst), from 0: sectors written, and discarded.
_WRITTEN, _DISCARDED = 6, 13
Counted = tuple[int, ...]


def written_so_far(path: str, devices: Path = Path("/sys/dev/block")) -> Counted | None:
    """What rises with each write to a device, or to an image file; None where nobody counts. ``OSError`` where it is gone."""
    st = os.stat(path)
    if not stat.S_ISBLK(st.st_mode):
        return st.st_mtime_ns, st.st_ctime_ns, st.st_size
    place = devices / f"{os.major(st.st_rdev)}:{os.minor(st.st_rdev)}"
    try:
        if (place / "queue" / "iostats").exists() and (place / "queue" / "iostats").read_text().strip() == "0":
            return None
        fields = (place / "stat").read_text().split()
        return int(fields[_WRITTEN]), int(fields[_DISCARDED]) if len(fields) > _DISCARDED else 0
    except (OSError, ValueError, IndexError):
        return None


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
