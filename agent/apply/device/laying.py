"""Writes into a device, in order: neighbours go together, in one call each."""

from __future__ import annotations

from agent.apply.device.opened import OpenDevice


class Laying:
    """``most``: bytes that are gathered. ``written``: bytes of data that went into it. OSError of the device."""

    def __init__(self, device: OpenDevice, most: int) -> None:
        self._device = device
        self._most = most
        self._pieces: list[bytes | memoryview] = []
        self._at = self._end = 0
        self._zeros = (0, 0)
        self.written = 0

    def put(self, offset: int, data: bytes | memoryview) -> None:
        """These bytes stand at an offset, once it is flushed."""
        if offset != self._end or self._end - self._at >= self._most:
            self._flush_data()
        if not self._pieces:
            self._at = self._end = offset
        self._pieces.append(data)
        self._end += len(data)

    def zero(self, offset: int, length: int) -> None:
        """A range reads as zeros, once it is flushed."""
        start, end = self._zeros
        if offset != end:
            self._flush_zeros()
            start = offset
        self._zeros = start, offset + length

    def flush(self) -> None:
        """What was gathered stands there."""
        self._flush_data()
        self._flush_zeros()

    def _flush_data(self) -> None:
        if self._pieces:
            self.written += self._device.put_run(self._at, self._pieces)
            self._pieces = []
        self._at = self._end = 0

    def _flush_zeros(self) -> None:
        start, end = self._zeros
        self._zeros = 0, 0
        if end > start:
            self._device.zero(start, end - start)
