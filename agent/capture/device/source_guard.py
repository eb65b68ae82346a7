"""Is the device still the device? One that is gone, smaller, or another one must never look like data that was wiped."""

from __future__ import annotations

from collections.abc import Callable

from agent.capture.device.opened import ReadsDevice, why_unreadable
from agent.capture.root import expect_root, expected_root
from agent.core.hold import Hold
from agent.core.problem_codes import DEVICE_GONE, DEVICE_SHRUNK
from agent.core.rows import decode_chunk
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local

_KEY = "device-size"


class DeviceGuard:
    """Opens the device at ``path``, if it is the one that was captured, as long as it was. Belongs to the pump's thread."""

    def __init__(
        self, path: str, dataset: str, catalog: Catalog, local: Local, open_device: Callable[[str], ReadsDevice]
    ) -> None:
        self._path = path
        self._dataset = dataset
        self._catalog = catalog
        self._local = local
        self._open = open_device

    def open(self, *, accepted: bool) -> ReadsDevice | Hold:
        """The device, or why it is not to be captured. ``accepted``: whichever it is now, it is the right one. One that is seen
        for the first time is taken as the right one."""
        try:
            device = self._open(self._path)
        except OSError as error:
            return device_gone(self._path, f"it cannot be opened: {error.strerror}")
        try:
            hold = self._judged(device, accepted=accepted)
        except OSError as error:
            hold = device_gone(self._path, error.strerror or str(error))
        if hold is not None:
            device.close()
            return hold
        return device

    def _judged(self, device: ReadsDevice, *, accepted: bool) -> Hold | None:
        why = why_unreadable(device)
        if why is not None:
            return device_gone(self._path, f"nothing of it can be read: {why}")
        identity, expected = device.identity(), expected_root(self._local)
        if accepted:
            self._local.set_value(_KEY, device.size.to_bytes(8, "big"))
        elif expected is not None and identity != expected:
            return self._other("another device or file stands where the one that was captured was")
        elif device.size < self._least():
            return self._other(f"it has {device.size:,} bytes, and had {self._captured():,}")
        if accepted or expected is None:
            expect_root(self._local, identity)
        return None

    def _other(self, how: str) -> Hold:
        remedy = f"bring the old one back, or, if this one is right: hikae accept {self._dataset}"
        return Hold(DEVICE_SHRUNK, f"capture is held: {self._path}: {how}", remedy)

    def _least(self) -> int:
        """Bytes that it must have: what was captured, or what was accepted since."""
        stored = self._local.value(_KEY)
        accepted = int.from_bytes(stored, "big") if stored is not None else self._captured()
        return min(self._captured(), accepted)

    def _captured(self) -> int:
        row = self._catalog.last_chunk()
        return decode_chunk(row).end if row is not None else 0


def device_gone(path: str, why: str) -> Hold:
    """Nothing of it can be captured."""
    return Hold(DEVICE_GONE, f"capture is held: {path}: {why}", "attach the device; capture goes on by itself")
