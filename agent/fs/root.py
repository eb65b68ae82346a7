"""Which directory, image or block device is a dataset's, and does it still stand where it stood?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from agent.fs.confined import open_root
from agent.fs.handles import filesystem_id, handle_of_fd

_DEVICES = Path("/sys/dev/block")
#: Files of sysfs that say which device it is, the best one first.
_NAMES = ("wwid", "device/wwid", "dm/uuid", "md/uuid", "serial", "device/serial", "loop/backing_file")
_BLOCK = b"block "
#: What the kernel adds to a loop device's file whose name is gone; the device is the same one.
_DELETED = " (deleted)"


@dataclass(frozen=True, slots=True)
class RootIdentity:
    """What a root is, also after a reboot: its filesystem and its own handle. A bare mount point has neither."""

    filesystem: bytes
    handle: bytes

    def encoded(self) -> bytes:
        """The identity as it is stored."""
        return len(self.filesystem).to_bytes(2, "big") + self.filesystem + self.handle

    @staticmethod
    def decoded(data: bytes) -> RootIdentity:
        """The identity that was stored."""
        end = 2 + int.from_bytes(data[:2], "big")
        return RootIdentity(data[2:end], data[end:])


def root_identity(fd: int) -> RootIdentity:
    """The identity of an open root."""
    return RootIdentity(filesystem_id(fd), handle_of_fd(fd))


def root_at(path: str) -> RootIdentity:
    """The identity of the directory that ``path`` leads to now. OSError when there is none."""
    fd = open_root(path)
    try:
        return root_identity(fd)
    finally:
        os.close(fd)


def reason_lost(path: str, expected: RootIdentity) -> str | None:
    """Why ``path`` is no longer the directory that it was, for people; None when it is."""
    try:
        found = root_at(path)
    except FileNotFoundError:
        return "the root directory is gone"
    except NotADirectoryError:
        return "the root is no directory any more"
    except OSError as error:
        return f"the root directory cannot be opened: {error.strerror}"
    if found.filesystem != expected.filesystem:
        return "the root directory is on another filesystem than before: something was mounted or unmounted there"
    return None if found == expected else "another directory stands in the root's place"


def device_identity(fd: int, *, is_block: bool, devices: Path = _DEVICES) -> bytes:
    """Of an open image its filesystem and handle; of a block device what it is called by itself. OSError."""
    if not is_block:
        return root_identity(fd).encoded()
    number = os.fstat(fd).st_rdev
    own = devices / f"{os.major(number)}:{os.minor(number)}"
    partition = _said(own / "partition")
    of_disk = own.resolve().parent if partition else own
    name = next((said for said in (_said(of_disk / one) for one in _NAMES) if said), "").removesuffix(_DELETED)
    return _BLOCK + os.fsencode(f"{name} {partition}".strip())


def _said(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
