"""Large files whose content changes: written in steps, so that a newer commit need not wait for them.

While a file is here the standby equals a commit but for its content, which goes from one whole version to the next: what is
wanted of it by then is looked at again when it is there. Lost in a crash; the applier remembers which files were here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.apply.bounds import ApplyLimits
from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow


@dataclass(slots=True)
class Writing:
    """A content on its way into an open file, which is closed with it. ``aside``: the file has no name yet; ``believed``: what is
    not written anew is what was noted down."""

    fd: int
    new: ObjectRow
    steps: Iterator[int]
    aside: bool
    believed: bool
    limits: ApplyLimits

    def go_on(self, monotonic: Callable[[], float]) -> tuple[int, bool]:
        """A step: bytes written, and whether that was all. OSError, ``ChunkLost``."""
        until, written = monotonic() + self.limits.seconds, 0
        for count in self.steps:
            written += count
            if written >= self.limits.slice or monotonic() >= until:
                return written, False
        return written, True

    def close(self) -> None:
        """Let go of the file."""
        self.steps = iter(())
        os.close(self.fd)


@dataclass(slots=True)
class LateFile:
    """``holds``: the version that stands there as a whole, but for what ``writing`` did."""

    holds: ObjectRow
    writing: Writing | None = None


class LateFiles:
    """The files that are being changed, the one that waits longest first. Used by the applying thread."""

    def __init__(self, limits: ApplyLimits) -> None:
        self._limits = limits
        self._files: dict[ObjectId, LateFile] = {}

    def __bool__(self) -> bool:
        return bool(self._files)

    def __contains__(self, id: ObjectId) -> bool:
        return id in self._files

    def ids(self) -> frozenset[ObjectId]:
        """Which files are here."""
        return frozenset(self._files)

    def defer(self, old: ObjectRow, new: ObjectRow) -> bool:
        """Leave a large file that holds ``old`` for later; whether it was taken."""
        limits = self._limits
        if new.kind != stat.S_IFREG or new.size < limits.large or len(self._files) >= limits.late:
            return False
        self._files[new.id] = LateFile(old)
        return True

    def first(self) -> tuple[ObjectId, LateFile]:
        """The file whose turn it is."""
        return next(iter(self._files.items()))

    def again(self, id: ObjectId) -> None:
        """The file is stepped again after all the others."""
        self._files[id] = self._files.pop(id)

    def drop(self, id: ObjectId) -> None:
        """The file is finished, or gone."""
        file = self._files.pop(id, None)
        if file is not None and file.writing is not None:
            file.writing.close()

    def give_up(self) -> frozenset[ObjectId]:
        """Let go of all; which they were: nobody knows what they hold."""
        ids = self.ids()
        for id in ids:
            self.drop(id)
        return ids
