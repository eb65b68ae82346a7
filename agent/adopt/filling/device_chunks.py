"""Chunks of a device as it stands, by their numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from agent.adopt.filling.tree_objects import ReadRange
from agent.core.chunks import DEVICE_CHUNK
from agent.core.ids import ObjectId
from agent.fs.content import read_exact


class DeviceChunks:
    """For one thread. ``path``: the image or block device."""

    def __init__(self, path: str) -> None:
        self._path = path

    @contextmanager
    def opened(self, id: ObjectId) -> Iterator[ReadRange | None]:
        """What reads the chunk, None where there is no device. What it holds is believed by its name alone."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            yield None
            return
        start = (id - 1) * DEVICE_CHUNK
        try:
            yield lambda offset, length: read_exact(fd, start + offset, length)
        finally:
            os.close(fd)
