"""Chunks of a device's standby, read by where they stand and believed by their names."""

from __future__ import annotations

import os
from collections.abc import Sequence

from agent.capture.outlet import Lack
from agent.core.chunks import ChunkRef, name_of
from agent.fs.content import read_exact


class StandingDevice:
    """For one thread. ``path``: the image or block device; where there is none, nothing is to be had."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1

    def read(self, refs: Sequence[ChunkRef]) -> list[bytes | Lack]:
        """For each reference its bytes, or why they are not to be had."""
        return [self._one(ref) for ref in refs]

    def _one(self, ref: ChunkRef) -> bytes | Lack:
        try:
            if self._fd < 0:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            data = read_exact(self._fd, ref.offset, ref.length)
        except OSError:
            return Lack.UNREADABLE
        return data if name_of(data) == ref.name else Lack.CHANGED

    def close(self) -> None:
        """Let go of it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
