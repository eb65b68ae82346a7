"""Which image or device is it? Known again after a restart and, as far as a device says who it is, after a reboot."""

from __future__ import annotations

import os
from pathlib import Path

from agent.fs.root import root_identity

_DEVICES = Path("/sys/dev/block")
#: Files of sysfs that say which device it is, the best one first.
_NAMES = ("wwid", "device/wwid", "dm/uuid", "md/uuid", "serial", "device/serial", "loop/backing_file")
_BLOCK = b"block "


def device_identity(fd: int, *, is_block: bool, devices: Path = _DEVICES) -> bytes:
    """Of an open image its filesystem and handle; of a block device what it is called by itself. OSError."""
    if not is_block:
        return root_identity(fd).encoded()
    number = os.fstat(fd).st_rdev
    own = devices / f"{os.major(number)}:{os.minor(number)}"
    partition = _said(own / "partition")
    of_disk = own.resolve().parent if partition else own
    name = next((said for said in (_said(of_disk / one) for one in _NAMES) if said), "")
    return _BLOCK + os.fsencode(f"{name} {partition}".strip())


def _said(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
