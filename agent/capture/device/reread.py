"""Bytes that a peer asks for, read again from the device."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from agent.capture.device.opened import ReadsDevice, aligned_memory
from agent.capture.device.opening import OpensDevice
from agent.capture.outlet import Lack
from agent.core.chunks import DEVICE_CHUNK, ChunkRef, name_of

#: The device is not there: capture finds out what becomes of it.
_GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


class DeviceSource:
    """Reads chunks by where they stood; what changed since is not there any more. For one thread."""

    def __init__(self, path: str, opens: OpensDevice) -> None:
        self._path = path
        self._opens = opens
        self._device: ReadsDevice | None = None
        self._buffer = aligned_memory(DEVICE_CHUNK)

    def read(self, refs: Sequence[ChunkRef]) -> list[bytes | Lack]:
        """For each reference its bytes, or why they are not to be had."""
        return [self._read(ref) for ref in refs]

    def rest(self) -> None:
        """Nothing is asked for now: a device that is unplugged meanwhile is let go."""
        if self._device is not None:
            self._device.close()
            self._device = None

    def close(self) -> None:
        """As :meth:`rest`; safe to call twice."""
        self.rest()

    def _read(self, ref: ChunkRef) -> bytes | Lack:
        """One chunk: a bad place takes no other along."""
        try:
            if self._device is None:
                self._device = self._opens(self._path)
            got = self._device.read(self._buffer, ref.offset)
        except OSError as error:
            return Lack.CHANGED if error.errno in _GONE else Lack.UNREADABLE
        data = bytes(self._buffer[: min(got, ref.length)])
        return data if name_of(data) == ref.name else Lack.CHANGED
