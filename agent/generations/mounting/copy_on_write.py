"""A file or block device as a file that may be written to: what is written stands beside it, and is gone with the mount.

Executed (``python -m agent.generations.mounting.copy_on_write FILE WRITES DIRECTORY``): ``DIRECTORY/image`` is FILE as it is, and
what is written goes into a file without a name in WRITES. It ends when it is unmounted, told to, or with who began it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import stat
import sys
from collections.abc import Iterator
from typing import Any

from agent.core.errors import HikaeError
from agent.fs.block_device import device_length
from agent.fs.content import read_exact
from agent.generations.mounting.fuse import MountOptions, serve_mount
from agent.generations.mounting.written_over import WrittenOver

IMAGE = "image"
_PR_SET_PDEATHSIG = 1


class CopyOnWrite:
    """The filesystem: one directory, and in it the image. One thread. ``below``: an open file or block device that stays as it
    is."""

    use_ns = True

    def __init__(self, below: int, size: int, over: WrittenOver) -> None:
        self._below = below
        self._size = size
        self._over = over
        self.was_mounted = False
        self.checked = False

    def init_with_config(self, _connection: Any, _config: Any) -> None:  # Any: structures of libfuse
        """It is mounted."""
        self.was_mounted = True

    def getattr(self, path: str, _handle: int | None = None) -> dict[str, int]:
        """``stat``."""
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 1, "st_ino": 1}
        if path != f"/{IMAGE}":
            raise OSError(errno.ENOENT, "nothing stands there")
        return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_ino": 2, "st_size": self._size}

    def readdir(self, _path: str, _handle: int) -> Iterator[str]:
        """What stands in it."""
        yield from (".", "..", IMAGE)

    def open(self, path: str, _flags: int) -> int:
        """Any handle is the image's."""
        self.getattr(path)
        return 1

    def read(self, _path: str, size: int, offset: int, _handle: int) -> bytes:
        """A range."""
        return self._over.read(offset, size, self._as_it_is)

    def write(self, _path: str, data: bytes, offset: int, _handle: int) -> int:
        """Lay data over a range."""
        return self._over.write(offset, data, self._as_it_is)

    def truncate(self, _path: str, _length: int, _handle: int | None = None) -> int:
        """It is as long as it is."""
        raise OSError(errno.EPERM, "the image keeps its length")

    def fsync(self, _path: str, _datasync: int, _handle: int) -> int:
        """Nothing of what is written lasts."""
        return 0

    def _as_it_is(self, offset: int, length: int) -> bytes:
        return read_exact(self._below, offset, length)


def served(words: list[str]) -> int:
    """Serve until the end; 1 with a sentence on stderr where that cannot be."""
    file, writes, directory = words
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    try:
        below = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        size = device_length(below)
        over = WrittenOver.open(writes, size)
        serve_mount(CopyOnWrite(below, size, over), directory, MountOptions("hikae:rehearsal", writable=True))
    except (OSError, HikaeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(served(sys.argv[1:]))
