"""Which files have further names, perhaps outside the tree: asked by the watcher about every change that it sees outside.

A write through a name outside the root is told with the file's handle only; a file with one name has no other to be written
through.
"""

from __future__ import annotations

from collections.abc import Callable
from stat import S_ISREG

from agent.core.ids import ObjectId
from agent.fs.handles import names_stand_apart

_KEPT = 100_000
#: Of a filesystem whose names may not be told to be of one file.
_APART = 20_000


class Linked:
    """Handles of files with more than one name. Noted by the pump's thread, asked by others; never wrong by saying no.

    Beyond ``limit`` handles it says yes to everything: then each such change is looked up. ``stand_apart``: whether the
    filesystem of a descriptor may show each name of a file as a file of its own; then the objects are kept, too (see
    ``capture.files.copies``)."""

    def __init__(self, limit: int = _KEPT, stand_apart: Callable[[int], bool] = names_stand_apart) -> None:
        self._limit = limit
        self._handles: set[bytes] = set()
        self._crowded = False
        self._stand_apart = stand_apart
        self.apart = False
        self.objects: dict[ObjectId, None] = {}

    def opened(self, root_fd: int) -> None:
        """A root is gone over from the beginning."""
        self.apart = self._stand_apart(root_fd)
        self.objects.clear()

    def note(self, id: ObjectId, handle: bytes, mode: int, names: int) -> None:
        """An object was seen; ``mode`` and ``names`` as in its stat (``st_mode``, ``st_nlink``)."""
        if names > 1 and S_ISREG(mode):
            if len(self._handles) < self._limit:
                self._handles.add(handle)
            else:
                self._crowded = True
            if self.apart and len(self.objects) < _APART:
                self.objects[id] = None
        else:
            self._handles.discard(handle)

    def holds(self, handle: bytes) -> bool:
        """Whether this object may have further names."""
        return handle in self._handles or self._crowded
