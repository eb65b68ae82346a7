"""A block device or raw image file, open for reads that pass every cache."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Iterator
from typing import Protocol

from agent.core.chunks import DEVICE_CHUNK
from agent.core.errors import HikaeError
from agent.fs.block_device import is_among_devices
from agent.fs.content import segments
from agent.fs.leading import foreign_link
from agent.fs.root import device_identity

#: A read is at most so many bytes.
READ = 1 << 20
#: The device is not there any more. Whatever else a read fails with may be true of one place alone.
GONE = (errno.ENODEV, errno.ENXIO)
#: So many places are tried before a device counts as one that cannot be read at all, and so many bytes of each.
_TRIED, _PROBED = 8, 4096


class DeviceLost(HikaeError):
    """A device that was open is gone, cut off, or fails at every place: of what was to be read nothing is known, and what was
    read so far is no moment of it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            "read the device", path, reason, "see the kernel log (dmesg); capture goes on once it can be read"
        )


class ReadsDevice(Protocol):
    """What capture reads: a device that is open, or what tests put in its place."""

    path: str
    size: int

    def identity(self) -> bytes:
        """Which device it is; the same after a restart, and of another one another, as far as a device says. ``OSError``."""
        ...

    def read(self, into: memoryview, offset: int) -> int:
        """Fill ``into`` from ``offset`` on; how many bytes there were. ``OSError``."""
        ...

    def holes(self, start: int, end: int) -> Iterator[tuple[bool, int, int]]:
        """``(is_data, start, end)`` in order; what is no data reads as zeros."""
        ...

    def stands(self) -> bool:
        """Whether the path still leads to what is open, as long as it was."""
        ...

    def flush(self) -> None:
        """What was written to the device by its own name, and not through a filesystem, stands on it afterwards. ``OSError``."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class SourceDevice:
    """One descriptor. ``size`` in bytes, as it was at the opening."""

    def __init__(self, path: str, fd: int, size: int, *, is_block: bool) -> None:
        self.path = path
        self.fd = fd
        self.size = size
        self.is_block = is_block

    def identity(self) -> bytes:
        """See ``ReadsDevice``."""
        return device_identity(self.fd, is_block=self.is_block)

    def read(self, into: memoryview, offset: int) -> int:
        """See ``ReadsDevice``."""
        got = 0
        while got < len(into):
            count = os.preadv(self.fd, [into[got:]], offset + got)
            if not count:
                break
            got += count
        return got

    def holes(self, start: int, end: int) -> Iterator[tuple[bool, int, int]]:
        """See ``ReadsDevice``. A block device has none that it tells of."""
        if self.is_block:
            yield True, start, end
            return
        for is_data, at, length in segments(self.fd, self.size):
            low, high = max(start, at), min(end, at + length)
            if low < high:
                yield is_data, low, high

    def stands(self) -> bool:
        """See ``ReadsDevice``."""
        try:
            now, then = os.stat(self.path), os.fstat(self.fd)
            same = (
                now.st_rdev == then.st_rdev if self.is_block else (now.st_dev, now.st_ino) == (then.st_dev, then.st_ino)
            )
            return same and size_of_device(self.fd) == self.size
        except OSError:
            return False

    def flush(self) -> None:
        """See ``ReadsDevice``."""
        os.fsync(self.fd)

    def close(self) -> None:
        """See ``ReadsDevice``."""
        os.close(self.fd)


def open_device(path: str) -> SourceDevice:
    """Open what stands at a path. ``OSError``: ``ENODEV`` for what is neither a block device nor a file, or has no bytes;
    ``EPERM`` where another user's link says what it is."""
    fd = _opened(path)
    try:
        size = size_of_device(fd)
        if not size:
            raise OSError(errno.ENODEV, "it holds no bytes", path)
        return SourceDevice(path, fd, size, is_block=stat.S_ISBLK(os.fstat(fd).st_mode))
    except BaseException:
        os.close(fd)
        raise


def _opened(path: str) -> int:
    """What was looked at is what is opened: a pipe that took its place meanwhile would never open."""
    found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _require_device(path, os.fstat(found).st_mode)
        return _for_reading(f"/proc/self/fd/{found}")
    finally:
        os.close(found)


def _require_device(path: str, mode: int) -> None:
    if (link := foreign_link(os.path.abspath(path))) is not None:
        raise OSError(errno.EPERM, f"{link.path} is a symbolic link of another user (uid {link.uid})", path)
    if not (stat.S_ISBLK(mode) or stat.S_ISREG(mode)):
        raise OSError(errno.ENODEV, "it is neither a block device nor a file", path)
    if stat.S_ISREG(mode) and is_among_devices(os.path.realpath(path)):
        raise OSError(errno.ENODEV, "a file stands where the kernel shows its devices", path)


def why_unreadable(device: ReadsDevice) -> str | None:
    """Why nothing of it can be read, a clause for people; None where some place of it can."""
    places = range(0, device.size, max(DEVICE_CHUNK, device.size // _TRIED // DEVICE_CHUNK * DEVICE_CHUNK))
    buffer, why = aligned_memory(_PROBED), ""
    for offset in places:
        try:
            if device.read(buffer, offset):
                return None
            why = "it ends there"
        except OSError as error:
            why = error.strerror or str(error)
            if error.errno in GONE:
                break
    return why


def size_of_device(fd: int) -> int:
    """Bytes of an open device or file, now."""
    return os.lseek(fd, 0, os.SEEK_END)


def aligned_memory(size: int) -> memoryview:
    """Memory that begins where a page does, as reads past the cache need it."""
    return memoryview(mmap.mmap(-1, size))


def _for_reading(path: str) -> int:
    """Filesystems that know no reads past the cache give their own cache, which is what was written to the file."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY
    try:
        return os.open(path, flags | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(path, flags)
