"""Which files have further names, perhaps outside the tree: asked by the watcher about every change that it sees outside.

A write through a name outside the root is told with the file's handle only; a file with one name has no other to be written
through.
"""

from __future__ import annotations

from stat import S_ISREG

_KEPT = 100_000


class Linked:
    """Handles of files with more than one name. Noted by the pump's thread, asked by others; never wrong by saying no.

    Beyond ``limit`` handles it says yes to everything: then each such change is looked up."""

    def __init__(self, limit: int = _KEPT) -> None:
        self._limit = limit
        self._handles: set[bytes] = set()
        self._crowded = False

    def note(self, handle: bytes, mode: int, names: int) -> None:
        """An object was seen; ``mode`` and ``names`` as in its stat (``st_mode``, ``st_nlink``)."""
        if names > 1 and S_ISREG(mode):
            if len(self._handles) < self._limit:
                self._handles.add(handle)
            else:
                self._crowded = True
        else:
            self._handles.discard(handle)

    def holds(self, handle: bytes) -> bool:
        """Whether this object may have further names."""
        return handle in self._handles or self._crowded
