"""Is the device still the device? One that is gone or smaller must never look like data that was wiped."""

from __future__ import annotations

from collections.abc import Callable

from agent.capture.device.opened import ReadsDevice
from agent.core.hold import Hold
from agent.core.problem_codes import DEVICE_GONE, DEVICE_SHRUNK
from agent.core.rows import decode_chunk
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local

_KEY = "device-size"


class DeviceGuard:
    """Opens the device at ``path``, if it is as long as what was captured. Belongs to the pump's thread."""

    def __init__(
        self, path: str, dataset: str, catalog: Catalog, local: Local, open_device: Callable[[str], ReadsDevice]
    ) -> None:
        self._path = path
        self._dataset = dataset
        self._catalog = catalog
        self._local = local
        self._open = open_device

    def open(self, *, accepted: bool) -> ReadsDevice | Hold:
        """The device, or why it is not to be captured. ``accepted``: however long it is now, it is the right one."""
        try:
            device = self._open(self._path)
        except OSError as error:
            reason = f"capture is held: {self._path} cannot be opened: {error.strerror}"
            return Hold(DEVICE_GONE, reason, "attach the device; capture goes on by itself")
        if accepted:
            self._local.set_value(_KEY, device.size.to_bytes(8, "big"), durable=True)
        elif device.size < self._least():
            device.close()
            reason = f"capture is held: {self._path} has {device.size:,} bytes, and had {self._captured():,}"
            remedy = f"bring the old one back, or, if this one is right: hikae accept {self._dataset}"
            return Hold(DEVICE_SHRUNK, reason, remedy)
        return device

    def _least(self) -> int:
        """Bytes that it must have: what was captured, or what was accepted since."""
        stored = self._local.value(_KEY)
        accepted = int.from_bytes(stored, "big") if stored is not None else self._captured()
        return min(self._captured(), accepted)

    def _captured(self) -> int:
        row = self._catalog.last_chunk()
        return decode_chunk(row).end if row is not None else 0
